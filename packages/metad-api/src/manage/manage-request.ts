import type { ApiRequest } from '../http/api-request.ts';
import type { Freshness } from '../read/freshness.ts';
import type { Form } from '../render/render.ts';
import type { Replica } from '../replica.ts';
import type { MetadSettings } from '../settings.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';

/** One request to the manage API, its target taken apart. */
export interface ManageRequest {
  readonly http: ApiRequest;
  /** The path behind the resource's own, canonical: `/a` for `/v1/data/a`. */
  readonly path: string;
  readonly query: URLSearchParams | null;
  readonly form: Form;
  /** Untouched, so that its body can still be read. */
  readonly raw: Request;
}

/** What the resources of the manage API work with. */
export interface ManageParts {
  readonly replica: Replica;
  readonly feed: ChangeFeed;
  readonly freshness: Freshness;
  readonly settings: MetadSettings;
}
