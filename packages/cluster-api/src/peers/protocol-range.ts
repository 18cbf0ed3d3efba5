/**
 * The peer protocols that a release speaks, oldest and newest included. A release that changes what frames look like
 * speaks the one before as well, so that nodes of both can be in one cluster while it is upgraded.
 */
export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

/** Both ends' best: the newest of what a dialler offers in its Upgrade header that is spoken here; null: there is none. */
export function chooseProtocol(offer: string | undefined, { oldest, newest }: ProtocolRange): number | null {
  const common = readOffer(offer).filter((protocol) => protocol >= oldest && protocol <= newest);
  return common.length > 0 ? Math.max(...common) : null;
}

/** An Upgrade header that offers all of the range; the first is liked best. */
export function protocolOffer({ oldest, newest }: ProtocolRange): string {
  const protocols = Array.from({ length: newest - oldest + 1 }, (_, step) => newest - step);
  return protocols.map(protocolName).join(', ');
}

export function protocolName(protocol: number): string {
  return `metad-peer/${protocol}`;
}

/** Whether an Upgrade header comes from a node of metad, of whatever release. */
export function offersPeerProtocol(offer: string | undefined): boolean {
  return offer?.includes('metad-peer/') ?? false;
}

const MAX_OFFERS = 64;

function readOffer(offer = ''): number[] {
  return offer
    .split(',', MAX_OFFERS)
    .map((name) => /^metad-peer\/([1-9]\d{0,5})$/.exec(name.trim())?.[1])
    .filter((protocol) => protocol !== undefined)
    .map(Number);
}
