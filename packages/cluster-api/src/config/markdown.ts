import { SETTING_TABLE } from './settings.ts';

/** The settings as the README shows them: a table for each section. */
export function settingsMarkdown(): string {
  const sections = new Map<string, string[]>();
  for (const { name, section, placeholder, default: preset, help } of SETTING_TABLE) {
    const rows = sections.get(section) ?? [];
    rows.push(
      `| \`--${name}${placeholder === null ? '' : ` ${placeholder}`}\` | ${shown(preset)} | ${help} |`,
    );
    sections.set(section, rows);
  }
  return [...sections]
    .map(
      ([section, rows]) =>
        `**${section}**\n\n| Flag | Default | |\n| --- | --- | --- |\n${rows.join('\n')}\n`,
    )
    .join('\n');
}

function shown(preset: string | null): string {
  return preset === null ? '' : `\`${preset}\``;
}
