import type { Module } from './module';

/** Records `fn` in evaluation mode; every module is then in the mode that it was in. */
export function inEvaluationMode<T>(model: Module, fn: () => T): T {
  const trained = [...model.modules()].filter((module) => module.training);
  model.eval();
  try {
    return fn();
  } finally {
    for (const module of trained) module.training = true;
  }
}
