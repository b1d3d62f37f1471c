/** A setting by which an optimizer trains LeNet on the digits: `train digits --model lenet --seed 0` and these flags. */
export interface OptimizerCase {
  readonly flags: string;
  /** What the test accuracy was: with seed 0, and the mean over seeds 0, 1 and 2. */
  readonly accuracy: number;
  readonly mean: number;
}

/** What every optimizer must reach with its setting. */
export const REQUIRED_ACCURACY = 0.95;

/** One setting of every optimizer, and one of each form of momentum: found by a few tries, not tuned to the last digit. */
export const optimizerCases: readonly OptimizerCase[] = [
  { flags: '--optimizer sgd --lr 0.2 --momentum 0 --epochs 30', accuracy: 0.9749, mean: 0.9759 },
  { flags: '--optimizer sgd --lr 0.05 --momentum 0.9', accuracy: 0.9833, mean: 0.9861 },
  {
    flags: '--optimizer sgd --lr 0.05 --momentum 0.9 --optimizer-option nesterov=true',
    accuracy: 0.9833,
    mean: 0.9805,
  },
  {
    flags: '--optimizer sgd --lr 0.05 --momentum 0.9 --optimizer-option momentumForm=classical',
    accuracy: 0.9833,
    mean: 0.9814,
  },
  {
    flags: '--optimizer sgd --lr 0.5 --momentum 0.9 --optimizer-option momentumForm=averaged',
    accuracy: 0.9833,
    mean: 0.9861,
  },
  { flags: '--optimizer asgd --lr 0.2 --epochs 30', accuracy: 0.9721, mean: 0.9731 },
  { flags: '--optimizer adagrad --lr 0.03', accuracy: 0.9749, mean: 0.9749 },
  { flags: '--optimizer rmsprop --lr 0.002', accuracy: 0.9805, mean: 0.9759 },
  { flags: '--optimizer adadelta --lr 1', accuracy: 0.9777, mean: 0.974 },
  {
    flags: '--optimizer rprop --lr 0.001 --batch-size 1438 --schedule none --epochs 120',
    accuracy: 0.9721,
    mean: 0.9703,
  },
  { flags: '--optimizer adam --lr 0.003', accuracy: 0.9777, mean: 0.9759 },
  { flags: '--optimizer adamw --lr 0.003', accuracy: 0.9777, mean: 0.9759 },
  { flags: '--optimizer adamax --lr 0.01', accuracy: 0.9749, mean: 0.974 },
  { flags: '--optimizer nadam --lr 0.003', accuracy: 0.9777, mean: 0.9749 },
  { flags: '--optimizer radam --lr 0.01', accuracy: 0.9777, mean: 0.9759 },
  { flags: '--optimizer adan --lr 0.01', accuracy: 0.9777, mean: 0.9749 },
  { flags: '--optimizer lion --lr 0.001', accuracy: 0.9749, mean: 0.9684 },
  { flags: '--optimizer lamb --lr 0.01', accuracy: 0.9777, mean: 0.9805 },
  { flags: '--optimizer adafactor --lr 0.03', accuracy: 0.9777, mean: 0.9712 },
  { flags: '--optimizer muon --lr 0.02 --epochs 10', accuracy: 0.9944, mean: 0.9889 },
  { flags: '--optimizer lbfgs --epochs 8', accuracy: 0.9749, mean: 0.9619 },
];
