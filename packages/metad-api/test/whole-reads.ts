import type { StateView } from '@metad/kv-store';
import type { ClientProfile } from '../src/access/client-profile.ts';
import { LeafReader, METADATA_LIMITS } from '../src/read/leaf-reader.ts';
import { readMetadata } from '../src/read/metadata-read.ts';
import type { Found } from '../src/render/found.ts';
import { type Form, renderFound } from '../src/render/render.ts';
import { finish } from '../src/steps.ts';

/** What a client finds at a path, whatever its size. */
export function readWhole(view: StateView, profile: ClientProfile, path: string): Found {
  return finish(readMetadata(new LeafReader(view, METADATA_LIMITS), profile, path));
}

/** All pieces of a rendering. */
export function renderWhole(found: Exclude<Found, { type: 'missing' }>, form: Form): string {
  return [...renderFound(found, form)].join('');
}
