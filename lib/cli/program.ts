import type * as Commander from 'commander';
import { SaddlepointError } from '../errors';
import type { DiagnoseArguments } from './diagnose';
import type { InfoArguments } from './info';
import { isMissing } from './missing';
import type { ProfileArguments } from './profile';
import type { LandscapeArguments } from './landscape';
import { surfaceNames, type RaceArguments } from './race';
import type { TrainArguments } from './train';
import { modelNames } from './models';
import { optimizerNames } from './optimizers';
import { scheduleNames } from './schedules';
import { assignment, choice, choices, integer, named, number, path } from './values';
import { packageVersion } from './version';

const MAX_THREADS = 64;

const examples = `
Examples:
  saddlepoint train digits --epochs 20 --seed 1 --out run
  saddlepoint train digits --optimizer adamw --lr 0.002 --optimizer-option weightDecay=0.05 --optimizer-option betas=0.9,0.95
  saddlepoint train digits --optimizer sgd --momentum 0.95 --schedule multi-step:milestones=200,400,gamma=0.2
  saddlepoint train digits --model resnet8 --schedule reduce-on-plateau:patience=2,factor=0.5
  saddlepoint train digits --data DIR --model lenet --schedule none --json`;

/** A race has no test whose loss one could wait for. */
const raceSchedules = scheduleNames.filter((name) => name !== 'reduce-on-plateau');

const needsFunctions = 'It is made of functions or other schedules, which a command line cannot give.';
const impossibleSchedules = Object.fromEntries(
  ['lambda', 'multiplicative', 'sequential', 'chained', 'warm-up'].map((name) => [name, needsFunctions]),
);

/** A command line that cannot be understood. */
export class UsageError extends SaddlepointError {
  static readonly exitCode = 2;
}

export interface Actions {
  train(options: TrainArguments): Promise<void>;
  profile(options: ProfileArguments): Promise<void>;
  landscape(options: LandscapeArguments): Promise<void>;
  race(options: RaceArguments): Promise<void>;
  diagnose(options: DiagnoseArguments): Promise<void>;
  info(options: InfoArguments): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** For who only wants to know what was asked for. */
export const noActions: Actions = {
  ...{ train: nothing, profile: nothing, landscape: nothing, race: nothing, diagnose: nothing, info: nothing },
};

/** The command line; parsing it throws a UsageError for whatever is wrong. */
export async function createProgram(actions: Actions): Promise<Commander.Command> {
  const { Argument, Command, Option } = await loadCommander();
  const program = new Command('saddlepoint')
    .description('Machine learning for Node.js on CPUs')
    .version(packageVersion)
    .configureOutput({ writeErr: () => undefined });
  /** The options that say what is trained, and on what. */
  const describing = (command: Commander.Command): Commander.Command =>
    command
      .addArgument(new Argument('<dataset>', 'handwritten digits').choices(['digits']))
      .option('--data <dir>', "use the images in a folder with files of MNIST's names", path)
      .option('--model <name>', `network (default: cnn): ${modelNames.join(', ')}`, choice(modelNames))
      .option('--optimizer <name>', `update rule: ${optimizerNames.join(', ')}`, choice(optimizerNames), 'adam')
      .option('--optimizer-option <k=v>', 'of the update rule, once for each; lists as betas=0.9,0.99', assignment)
      .option(
        '--lr <x>',
        "largest learning rate (default: 0.003 for adam, 0.05 for sgd, else the rule's own)",
        number(0),
      )
      .option('--momentum <x>', 'of sgd (default: 0.9)', number(0, 1))
      .option(
        '--batch-size <n>',
        'images in a step (default: 32; 64 with --data; all, up to 8192, with lbfgs)',
        integer(1),
      )
      .option('--seed <n>', 'fixes weights, order and dropout', integer(0), 0)
      .option('--threads <n>', 'of the native backend', integer(1, MAX_THREADS))
      .addOption(new Option('--backend <name>', 'instead of the best one that loads').choices(['native', 'portable']));
  const train = describing(program.command('train'))
    .description('Trains a network to tell images apart, and tests it on images it has not seen.')
    .option('--epochs <n>', 'how often every image is seen (default: 15; 5 with --data)', integer(1))
    .option(
      '--schedule <name:k=v,...>',
      `of the learning rate, counted in batches (default: warmup-cosine; none with lbfgs): ${scheduleNames.join(', ')}`,
      named(choice(scheduleNames, impossibleSchedules)),
    )
    .option('--config <file>', 'JSON with these flags, as {"model": "lenet", "lr": 0.01}; flags behind it count more')
    .option('--json', 'print one JSON object a line', false)
    .option('--out <dir>', 'write model.safetensors and history.json there', path)
    .option('--snapshots', 'write the weights before training and after every epoch there too, for landscape', false)
    .addHelpText('after', examples)
    .action((_dataset: string, options: TrainArguments) => actions.train(options));
  const profile = describing(program.command('profile'))
    .description('Measures training steps: which operation takes how long, and what goes on around them.')
    .option('--steps <n>', 'training steps to measure, after two that are not', integer(1), 10)
    .option('--trace <file>', 'write a trace there that ui.perfetto.dev opens', path)
    .option('--json', 'print one JSON object', false)
    .action((_dataset: string, options: ProfileArguments) => actions.profile(options));
  const landscape = program
    .command('landscape')
    .description('Says where a training stands on its loss surface, or where the critical points of a known one are.')
    .addArgument(new Argument('<where>', `a folder that train --out wrote, or one of ${surfaceNames.join(', ')}`))
    .option('--data <dir>', 'of a training on other images than the digits: their folder', path)
    .option('--images <n>', 'of the training images, the first: what the loss is of', integer(2), 256)
    .option('--k <n>', 'largest eigenvalues to look for', integer(1), 5)
    .option('--max-products <n>', 'Hessian-vector products for them at most', integer(10), 200)
    .option('--points <n>', 'along each side of a plane', integer(5, 201), 21)
    .option('--seed <n>', 'of start vectors and random directions', integer(0), 0)
    .option('--out <file>', 'the page', path, 'landscape.html')
    .option('--json', 'print one JSON object', false)
    .action((where: string, options: Omit<LandscapeArguments, 'where'>) => actions.landscape({ ...options, where }));
  const race = program
    .command('race')
    .description('Races optimizers over a surface whose critical points are known, and writes a page that shows it.')
    .option('--surface <name>', `where: ${surfaceNames.join(', ')}`, choice(surfaceNames), 'ravine')
    .option(
      '--optimizers <a,b,...>',
      `who: momentum (sgd with 0.9), ${optimizerNames.join(', ')}`,
      choices(['momentum', ...optimizerNames]),
      ['sgd', 'momentum', 'adagrad', 'rmsprop', 'adam'],
    )
    .option('--lr <name=x>', 'learning rate of one of them, once for each (default: fits the surface)', assignment)
    .option(
      '--schedule <name:k=v,...>',
      `of all learning rates: ${raceSchedules.join(', ')}`,
      named(choice(raceSchedules, { ...impossibleSchedules, 'reduce-on-plateau': 'It waits for a test’s loss.' })),
    )
    .option('--steps <n>', 'of each', integer(1), 200)
    .option('--out <file>', 'the page', path, 'race.html')
    .option('--json', 'print one JSON object', false)
    .action((options: RaceArguments) => actions.race(options));
  const diagnose = program
    .command('diagnose')
    .description('Says whether the model, the optimizer or the data are at fault when training goes badly, and why.')
    .addArgument(
      new Argument('<config>', 'JSON with the flags of train (see train --config), or a folder of train --out'),
    )
    .option('--data <dir>', 'of a training on other images than the digits: their folder', path)
    .option('--images <n>', 'of the training images and of the test images, the first', integer(20), 2000)
    .option('--budget <seconds>', 'that it should take at most, training included', number(1), 60)
    .option('--seed <n>', 'of baselines and of further trainings', integer(0), 0)
    .option('--out <file>', 'the page', path, 'diagnosis.html')
    .option('--json', 'print one JSON object', false)
    .action((config: string, options: Omit<DiagnoseArguments, 'config'>) => actions.diagnose({ ...options, config }));
  const info = program
    .command('info')
    .description('Says which backend runs, and why.')
    .option('--json', 'print it as JSON', false)
    .action((options: InfoArguments) => actions.info(options));
  for (const command of [program, train, profile, landscape, race, diagnose, info])
    command.exitOverride((error) => refuse(error, command));
  return program;
}

/** commander is an optional dependency: the library works without it, the command does not. */
async function loadCommander(): Promise<typeof Commander> {
  try {
    return await import('commander');
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new SaddlepointError('the command line needs the package commander; install it: npm install commander');
  }
}

/** Whether commander has printed what was asked for: the help, the version. */
export function isAnswered(error: unknown): boolean {
  return error instanceof Error && (error as Partial<Commander.CommanderError>).exitCode === 0;
}

function refuse(error: Commander.CommanderError, command: Commander.Command): never {
  if (error.exitCode === 0) throw error;
  const names = command.commands.map((child) => child.name()).join(', ');
  if (error.code === 'commander.help') throw new UsageError(`a command is needed; possible are ${names}`);
  const flags = command.options.map((option) => option.long).join(', ');
  const possible: { readonly [code: string]: string } = {
    'commander.unknownOption': `; possible are ${flags}`,
    'commander.unknownCommand': `; possible are ${names}`,
    'commander.missingArgument': `; see ${command.name()} --help`,
  };
  const message = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  throw new UsageError(message + (possible[error.code] ?? ''));
}
