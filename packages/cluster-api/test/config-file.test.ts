import { describe, expect, test } from 'vitest';
import { parseConfigFile, readConfigFile } from '../src/config/file.ts';

function given(text: string) {
  const { given, errors } = parseConfigFile('m.yaml', text);
  expect(errors).toEqual([]);
  return Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
}

const errorsOf = (text: string) => parseConfigFile('m.yaml', text).errors;

describe('a configuration file', () => {
  test('gives every value as it is written, with the line where it stands', () => {
    const { given } = parseConfigFile('m.yaml', '# comment\nid: 2\n\nlisten: :80\n');
    expect(given.get('id')).toEqual({ value: '2', origin: 'm.yaml:2' });
    expect(given.get('listen')).toEqual({ value: ':80', origin: 'm.yaml:4' });
  });

  test('never changes what looks like a number', () => {
    expect(given('cluster_token: 0123\nmanage_token: 1e3\n')).toEqual({
      cluster_token: '0123',
      manage_token: '1e3',
    });
  });

  test('may spell lists and maps out', () => {
    expect(given('join: [a:1, "b:2"]\ninitial_cluster:\n  1: a:1\n  2: b:2\n')).toEqual({
      join: ['a:1', 'b:2'],
      initial_cluster: { 1: 'a:1', 2: 'b:2' },
    });
  });

  test('accepts hyphens in names, but no name twice', () => {
    expect(given('data-dir: /d\n')).toEqual({ data_dir: '/d' });
    expect(errorsOf('data-dir: /d\ndata_dir: /e\n')).toEqual(['m.yaml:2: data_dir is given twice']);
    expect(errorsOf('id: 1\nid: 2\n')).toEqual([expect.stringMatching(/^m\.yaml:2: .*unique/)]);
  });

  test('may be empty', () => {
    for (const text of ['', '\n', '# nothing\n', '---\n']) expect(given(text)).toEqual({});
  });

  test('names unknown settings, with what was probably meant', () => {
    expect(errorsOf('id: 1\nlisten_manag: x\nbackend: etcd\n')).toEqual([
      'm.yaml:2: unknown setting listen_manag; did you mean listen_manage?',
      'm.yaml:3: unknown setting backend',
    ]);
  });

  test('refuses a setting without a value, or nested too deep', () => {
    expect(errorsOf('pid_file:\njoin: [a, [b]]\ninitial_cluster: {1: {addr: a}}\nid: *x\n')).toEqual([
      'm.yaml:1: pid_file has no value',
      expect.stringContaining('m.yaml:2: join'),
      expect.stringContaining('m.yaml:3: initial_cluster'),
      expect.stringContaining('m.yaml:4: id is neither'),
    ]);
  });

  test('refuses what is no YAML map, with the line', () => {
    expect(errorsOf('- id\n- 2\n')).toEqual(['m.yaml: expected settings as NAME: VALUE, one on each line']);
    expect(errorsOf('just words')).toHaveLength(1);
    expect(errorsOf('id: 1\nlisten: "open\n')[0]).toMatch(/^m\.yaml:\d: /);
  });

  test('that cannot be read is an error which says what named it', () => {
    const { errors } = readConfigFile('/nowhere/m.yaml', '--config');
    expect(errors).toEqual([expect.stringMatching(/^--config: cannot read the file: .*\/nowhere\/m\.yaml/)]);
  });
});
