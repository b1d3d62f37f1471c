import os from 'node:os';
import { backendInfo, type BackendInfo } from '../backend';
import { packageVersion } from './version';

export interface InfoArguments {
  readonly json: boolean;
}

/** Says what runs and why; an addon that was refused is named with its reason. */
export function printInfo({ json }: InfoArguments): void {
  const info = {
    saddlepoint: packageVersion,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    ...backendInfo(),
  };
  process.stdout.write(json ? `${JSON.stringify(info)}\n` : describe(info));
}

function describe({ tried, ...info }: BackendInfo & { [name: string]: unknown }): string {
  const width = Math.max(...Object.keys(info).map((name) => name.length));
  const lines = Object.entries(info).map(([name, value]) => `${name.padEnd(width)}  ${String(value)}`);
  const refused = tried.map((attempt) => `  ${attempt.path}: ${attempt.problem}`);
  if (refused.length > 0) lines.push('native addons that were not used:', ...refused);
  return `${lines.join('\n')}\n`;
}
