import type { ClientProfiles } from '../access/client-profiles.ts';
import type { ApiRequest } from '../http/api-request.ts';
import type { Answers } from '../read/answers.ts';
import type { Freshness } from '../read/freshness.ts';
import type { TreeAnswers } from '../read/tree-answers.ts';
import type { Form } from '../render/render.ts';
import type { Replica } from '../replica.ts';
import type { MetadSettings } from '../settings.ts';
import type { CatchUp } from '../wait/catch-up.ts';
import type { ChangeFeed } from '../wait/change-feed.ts';

/** One request to the manage API, its target taken apart. */
export interface ManageRequest {
  readonly http: ApiRequest;
  /** The path behind the resource's own, canonical: `/a` for `/v1/data/a`. */
  readonly path: string;
  readonly query: URLSearchParams | null;
  readonly form: Form;
}

/** What the resources of the manage API work with. */
export interface ManageParts {
  readonly replica: Replica;
  readonly feed: ChangeFeed;
  readonly freshness: Freshness;
  readonly catchUp: CatchUp;
  readonly profiles: ClientProfiles;
  /** Answers of the metadata API. */
  readonly answers: Answers;
  readonly trees: TreeAnswers;
  readonly settings: MetadSettings;
}
