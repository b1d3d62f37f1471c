#!/usr/bin/env node
import { SaddlepointError } from '../errors';
import { withConfiguration } from './configuration';
import { runDiagnosis } from './diagnose';
import { printInfo } from './info';
import { runLandscape } from './landscape';
import { runProfile } from './profile';
import { createProgram, isAnswered, UsageError } from './program';
import { runRace } from './race';
import { runTraining } from './train';

const FAILURE = 1;

async function main(): Promise<void> {
  try {
    const program = await createProgram({
      train: async (options) => {
        process.exitCode = await runTraining(options);
      },
      profile: runProfile,
      landscape: runLandscape,
      race: runRace,
      diagnose: runDiagnosis,
      info: async (options) => printInfo(options),
    });
    await program.parseAsync(withConfiguration(process.argv.slice(2)), { from: 'user' });
  } catch (error) {
    if (isAnswered(error)) return;
    report(error);
    process.exitCode = error instanceof UsageError ? UsageError.exitCode : FAILURE;
  }
}

function report(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  if (process.env.DEBUG) console.error(error);
  else if (error instanceof SaddlepointError) process.stderr.write(`saddlepoint: ${message}\n`);
  else process.stderr.write(`saddlepoint: unexpected error: ${message} (DEBUG=1 shows where)\n`);
}

// A reader that has gone, as in `| head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

void main();
