import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import type { SnapshotMeta } from '@metad/raft-core';
import Database from 'better-sqlite3';
import { type FileFormat, openForReading } from './database.ts';
import { checksumFile } from './file-checksum.ts';
import { checkKnownLevel } from './known-level.ts';
import { decodePosition, type PositionRow, READ_ANY_POSITION } from './position.ts';
import { STATE_FORMAT } from './state-schema.ts';
import { decoding, namingFile, StoreError } from './store-error.ts';
import type { Version } from './version.ts';

/** Grows when the manifest, or what the checksum covers, changes. The state's tables have a number of their own. */
export const SNAPSHOT_FORMAT = 1;

/** A state with a manifest. */
export const SNAPSHOT_FILE: FileFormat = {
  ...STATE_FORMAT,
  title: 'a snapshot or backup of a metad node',
  advice: 'take another snapshot or backup',
};

/** What a snapshot says of itself. */
export interface SnapshotManifest {
  readonly format: number;
  /** What a node must know to go on from the state: its own. */
  readonly featureLevel: number;
  /** The cluster it was taken in; null when that was not known. */
  readonly cluster: string | null;
  readonly meta: SnapshotMeta;
  readonly version: Version;
  /** Hex; see StateMachine. */
  readonly digest: string;
  /** The size of the file. */
  readonly bytes: number;
  /** SHA-256 over the file, hex; its own bytes in the file count as zeros. */
  readonly checksum: string;
}

/** What the one who takes a snapshot adds to it. */
export interface SnapshotOrigin {
  readonly cluster: string | null;
}

/** A state has no such table, a snapshot has. */
export const MANIFEST_TABLE = 'manifest';

export const CREATE_MANIFEST = `
  CREATE TABLE manifest (
    id            INTEGER PRIMARY KEY CHECK (id = 1), -- there is one row
    format        INTEGER NOT NULL, -- of this table
    feature_level INTEGER NOT NULL, -- what a node must know to go on from this state
    cluster       TEXT,             -- where it was taken
    checksum      BLOB NOT NULL     -- SHA-256 over the whole file, these 32 bytes taken as zeros
  ) STRICT;
`;

/** Takes the manifest out of a snapshot that becomes a state. */
export const DROP_MANIFEST = 'DROP TABLE IF EXISTS manifest';

const CHECKSUM_BYTES = 32;

type ManifestRow = readonly [format: number, featureLevel: number, cluster: string | null, checksum: Buffer];

/** Makes a snapshot of a copy of a state that nobody else has open: writes the manifest, then the checksum over all. */
export function sealSnapshot(file: string, { cluster }: SnapshotOrigin): void {
  const placeholder = randomBytes(CHECKSUM_BYTES);
  const db = new Database(file, { fileMustExist: true });
  try {
    // Nobody relies on this file before it is whole.
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    db.exec(CREATE_MANIFEST);
    const insert = 'INSERT INTO manifest SELECT 1, ?, feature_level, ?, ? FROM state';
    db.prepare(insert).run(SNAPSHOT_FORMAT, cluster, placeholder);
  } finally {
    db.close();
  }
  const offset = withDatabase(file, (opened) => findChecksum(file, opened, placeholder));
  overwrite(file, offset, checksumFile(file, { offset, bytes: CHECKSUM_BYTES }));
}

/** Reads what a snapshot says of itself and checks every byte against it. Throws a StoreError, `damaged` as a rule. */
export function verifySnapshot(file: string): SnapshotManifest {
  return withDatabase(file, (db) => {
    const manifest = readManifest(file, db);
    const checksum = Buffer.from(manifest.checksum, 'hex');
    const found = checksumFile(file, { offset: findChecksum(file, db, checksum), bytes: CHECKSUM_BYTES });
    if (!found.equals(checksum)) throw damaged(file, 'its bytes do not match its checksum');
    return manifest;
  });
}

/** What a snapshot says of itself, unchecked. */
function readManifest(file: string, db: Database.Database): SnapshotManifest {
  const has = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'manifest'");
  if (has.get() === undefined) throw damaged(file, 'it has no manifest, so it is no snapshot');
  const row = db
    .prepare<[], ManifestRow>('SELECT format, feature_level, cluster, checksum FROM manifest')
    .raw()
    .get();
  const position = db.prepare<[], PositionRow>(READ_ANY_POSITION).raw().get();
  if (row === undefined || position === undefined) throw damaged(file, 'its manifest is empty');
  const [format, featureLevel, cluster, checksum] = row;
  if (format > SNAPSHOT_FORMAT) {
    const what = `${file} has format ${format}, this release reads formats up to ${SNAPSHOT_FORMAT}`;
    throw new StoreError('newerFormat', `${what}: run a newer release`);
  }
  checkKnownLevel(featureLevel, `${file} has`, 'run the release of the cluster that it is from');
  const { applied, version, digest, membership } = decoding(file, () => decodePosition(position));
  return {
    format,
    featureLevel,
    cluster,
    meta: { last: applied, membership: membership.membership, membershipLogId: membership.logId },
    version,
    digest: digest.toString('hex'),
    bytes: statSync(file).size,
    checksum: checksum.toString('hex'),
  };
}

/** Where the checksum stands in the file: the manifest is one row, which lies in the table's first page. */
function findChecksum(file: string, db: Database.Database, checksum: Buffer): number {
  const root = db.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'manifest'").pluck();
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  const page = Buffer.alloc(pageBytes);
  const start = (Number(root.get()) - 1) * pageBytes;
  const handle = openSync(file, 'r');
  try {
    readSync(handle, page, 0, pageBytes, start);
  } finally {
    closeSync(handle);
  }
  const offset = page.indexOf(checksum);
  if (checksum.length !== CHECKSUM_BYTES || offset < 0) throw damaged(file, 'its checksum cannot be found');
  return start + offset;
}

function withDatabase<T>(file: string, look: (db: Database.Database) => T): T {
  const db = openForReading(file, SNAPSHOT_FILE, { busyTimeoutMs: 0, pragmas: [] });
  try {
    return namingFile(file, () => look(db), SNAPSHOT_FILE.advice);
  } finally {
    db.close();
  }
}

function overwrite(file: string, offset: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  try {
    writeSync(handle, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(handle);
  }
}

function damaged(file: string, what: string): StoreError {
  return new StoreError('damaged', `${file} is damaged: ${what}; ${SNAPSHOT_FILE.advice}`);
}
