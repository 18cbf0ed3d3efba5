import { SETTING_NAMES } from './settings.ts';
import { suggestionFor } from './suggestion.ts';
import type { RawValue } from './values.ts';

/** What one source says about one setting. */
export interface Given {
  readonly value: RawValue;
  /** Where it stands, as a person would look for it: `--id`, `METAD_ID`, `metad.yaml:3`. */
  readonly origin: string;
}

/** All that flags, environment or file say, and what is wrong with how they say it. */
export interface Source {
  readonly given: ReadonlyMap<string, Given>;
  readonly errors: readonly string[];
}

/** The name of a setting, hyphens being as good as underscores; null when there is no such setting. */
export function settingNamed(written: string): string | null {
  const name = written.replaceAll('-', '_');
  return SETTING_NAMES.includes(name) ? name : null;
}

/** Ends an error about an unknown name: the nearest known one, spelled as in this source, or nothing. */
export function didYouMean(
  written: string,
  known: readonly string[],
  spell: (name: string) => string,
): string {
  const name = suggestionFor(written.toLowerCase().replaceAll('-', '_'), known);
  return name === null ? '' : `; did you mean ${spell(name)}?`;
}
