import { CONFIG_FLAG, SETTING_NAMES, variableOf } from './settings.ts';
import { didYouMean, type Given, type Source } from './source.ts';

const PREFIX = 'METAD_';
/** What container platforms set by themselves for a service that is called metad, or metad-something. */
const SERVICE_LINK =
  /^METAD_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?)?)$/;

/** Reads the METAD_ variables; an empty one is as good as none. */
export function readEnvironment(env: NodeJS.ProcessEnv): Source {
  const names = new Map(SETTING_NAMES.map((name) => [variableOf(name), name]));
  const given = new Map<string, Given>();
  const errors: string[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || variable === variableOf(CONFIG_FLAG) || value === undefined) continue;
    const name = names.get(variable);
    if (name !== undefined) {
      if (value !== '') given.set(name, { value, origin: variable });
    } else if (!SERVICE_LINK.test(variable)) {
      const suggestion = didYouMean(variable.slice(PREFIX.length), SETTING_NAMES, variableOf);
      errors.push(`${variable}: unknown environment variable${suggestion}`);
    }
  }
  return { given, errors };
}
