import type { StateView } from '@metad/kv-store';
import type { ClientProfile } from '../../access/client-profile.ts';
import { profileAt } from '../../access/client-profiles.ts';
import { canonicalAddress } from '../../http/ip-address.ts';
import { badRequest, type Checked, ok, refuse } from '../../http/problem.ts';
import type { ManageParts } from '../manage-request.ts';

/** The client that an operator asks about: `ip=ADDRESS`. */
export function readClient(query: URLSearchParams | null): Checked<string> {
  const text = query?.get('ip')?.trim() ?? '';
  if (text === '') return refuse(badRequest('ip=ADDRESS says which client is asked about'));
  const host = canonicalAddress(text);
  return host === null ? refuse(badRequest(`${JSON.stringify(text)} is no ip address`)) : ok(host);
}

/** What that client may see, as of the view. */
export function clientProfile(host: string, view: StateView, { profiles, feed }: ManageParts): ClientProfile {
  return profileAt(profiles, host, { view, version: view.version(), changesKnownTo: feed.deliveredVersion });
}
