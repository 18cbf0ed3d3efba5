import { unreachable } from '@metad/raft-core';
import type {
  AccessMode,
  AccessRule,
  ContentCommand,
  FeatureLevelCommand,
  Leaf,
  TreeName,
} from './command.ts';
import { CommandFormatError, list, only, pairs, path, text } from './command-fields.ts';
import { FIRST_FEATURE_LEVEL, LAST_FEATURE_LEVEL } from './feature-level.ts';
import type { Plain } from './message-pack.ts';
import { ROOT } from './path.ts';

/** A tree travels as its index. */
export const TREES: readonly TreeName[] = ['data', 'mapping'];

const OPCODE = {
  merge: 1,
  replace: 2,
  delete: 3,
  deleteValue: 4,
  setRules: 5,
  deleteRules: 6,
  setFeatureLevel: 7,
} as const;

/** What a command is made of: lists of strings and small integers, at most two levels deep. */
export function contentFields(command: ContentCommand | FeatureLevelCommand): Plain[] {
  switch (command.type) {
    case 'merge':
      return [OPCODE.merge, TREES.indexOf(command.tree), command.leaves.flat()];
    case 'replace':
      return [OPCODE.replace, TREES.indexOf(command.tree), command.path, command.leaves.flat()];
    case 'delete':
      return [OPCODE.delete, TREES.indexOf(command.tree), command.paths];
    case 'deleteValue':
      return [OPCODE.deleteValue, TREES.indexOf(command.tree), command.path];
    case 'setRules':
      return [
        OPCODE.setRules,
        command.rules.flatMap(([host, rules]) => [host, rules.flatMap(({ path, mode }) => [path, mode])]),
      ];
    case 'deleteRules':
      return [OPCODE.deleteRules, command.hosts];
    case 'setFeatureLevel':
      return [OPCODE.setFeatureLevel, command.level];
    default:
      return unreachable(command);
  }
}

/** Throws a CommandFormatError unless `contentFields` could have made it. */
export function readContent(value: unknown): ContentCommand | FeatureLevelCommand {
  const [opcode, ...fields] = list(value);
  switch (opcode) {
    case OPCODE.merge:
      return { type: 'merge', tree: tree(fields, 2), leaves: leaves(fields[1]) };
    case OPCODE.replace:
      return { type: 'replace', tree: tree(fields, 3), path: path(fields[1]), leaves: leaves(fields[2]) };
    case OPCODE.delete:
      return { type: 'delete', tree: tree(fields, 2), paths: list(fields[1]).map(path) };
    case OPCODE.deleteValue:
      return { type: 'deleteValue', tree: tree(fields, 2), path: path(fields[1]) };
    case OPCODE.setRules:
      return {
        type: 'setRules',
        rules: pairs(only(fields), (host, rules) => [text(host), ruleList(rules)]),
      };
    case OPCODE.deleteRules:
      return { type: 'deleteRules', hosts: list(only(fields)).map(text) };
    case OPCODE.setFeatureLevel:
      return { type: 'setFeatureLevel', level: featureLevel(only(fields)) };
    default:
      throw new CommandFormatError('unknown kind of command');
  }
}

/** The first of `count` fields names the tree. */
function tree(fields: readonly unknown[], count: number): TreeName {
  const name = typeof fields[0] === 'number' ? TREES[fields[0]] : undefined;
  if (name === undefined || fields.length !== count)
    throw new CommandFormatError('a command on a tree has other fields');
  return name;
}

function leaves(value: unknown): Leaf[] {
  return pairs(value, (at, leaf) => {
    if (at === ROOT) throw new CommandFormatError('the root has no value of its own');
    return [path(at), text(leaf)];
  });
}

function ruleList(value: unknown): AccessRule[] {
  return pairs(value, (at, mode) => ({ path: path(at), mode: accessMode(mode) }));
}

function accessMode(value: unknown): AccessMode {
  if (value !== 0 && value !== 1) throw new CommandFormatError('an access mode is 0 or 1');
  return value;
}

function featureLevel(value: unknown): number {
  const isLevel = typeof value === 'number' && Number.isInteger(value);
  if (!isLevel || value < FIRST_FEATURE_LEVEL || value > LAST_FEATURE_LEVEL)
    throw new CommandFormatError(`a feature level is ${FIRST_FEATURE_LEVEL} to ${LAST_FEATURE_LEVEL}`);
  return value;
}
