import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The daemon of this repository, as it was built last. */
export const METAD = fileURLToPath(new URL('../../packages/cluster-api/bin/metad.js', import.meta.url));
const MAX_LOG_CHARS = 1_000_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One running `metad`, or any other script of this repository. Ends with the test process at the latest. */
export class ScriptProcess {
  readonly exited: Promise<Exit>;
  #exit: Exit | null = null;
  #log = '';
  readonly #child: ChildProcess;

  constructor(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const command = script.endsWith('.sh') ? 'bash' : process.execPath;
    this.#child = spawn(command, [script, ...args], {
      env: { ...withoutSettings(process.env), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-MAX_LOG_CHARS);
      });
    }
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        running.delete(this.#child);
        this.#exit = { code, signal };
        resolve(this.#exit);
      });
    });
  }

  /** What it has written so far, on stdout and stderr. */
  get log(): string {
    return this.#log;
  }

  /** null while it runs. */
  get exit(): Exit | null {
    return this.#exit;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends the signal and resolves once the process is gone. */
  end(signal: NodeJS.Signals): Promise<Exit> {
    this.signal(signal);
    return this.exited;
  }
}

export function spawnMetad(args: readonly string[], env?: NodeJS.ProcessEnv): ScriptProcess {
  return new ScriptProcess(METAD, args, env);
}

/** The environment of whoever runs the tests must not configure the nodes. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !/^(METAD_|NODE_OPTIONS|VITEST)/.test(name)),
  );
}

const running = new Set<ChildProcess>();

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

process.once('exit', killAll);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll();
    process.kill(process.pid, signal);
  });
}
