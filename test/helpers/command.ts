import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '..', '..');

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Sees what has been printed so far. */
  readonly onOutput?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs the command line, from its sources, in a process of its own. */
export function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const script = path.join(root, 'scripts', 'run-typescript.cjs');
  const child = spawn(process.execPath, [script, path.join(root, 'lib', 'cli', 'main.ts'), ...args], {
    env: { ...process.env, DEBUG: '', ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    options.onOutput?.(stdout, (signal) => child.kill(signal));
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

export const linesOf = (text: string): string[] => text.trimEnd().split('\n');

export interface Figure {
  readonly kind: string;
  readonly series?: readonly { readonly label: string; readonly y: readonly (number | null)[] }[];
  readonly paths?: readonly { readonly label: string; readonly points: readonly (readonly [number, number])[] }[];
  readonly marks?: readonly { readonly label: string }[];
}

/** The figures of a page that a command wrote; it needs nothing from elsewhere. */
export function figuresOf(file: string): Figure[] {
  const page = fs.readFileSync(file, 'utf8');
  expect(page).not.toMatch(/<(script|link|img)[^>]* (src|href)=/);
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  return (JSON.parse(/const data = (.*);\n/.exec(page)![1]!) as { figures: Figure[] }).figures;
}
