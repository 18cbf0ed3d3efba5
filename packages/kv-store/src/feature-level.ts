/** The level of every new cluster, whatever its members know: what is in its log means the same to all releases. */
export const FIRST_FEATURE_LEVEL = 1;

/** The highest level whose commands and meanings this release knows. DESIGN.md says how to raise it. */
export const MAX_FEATURE_LEVEL = 1;

/** The highest level that a command can name. */
export const LAST_FEATURE_LEVEL = 127;
