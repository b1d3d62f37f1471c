import type { Module } from './module';

/** Puts a model into evaluation mode; the function returned puts every module into the mode that it was in. */
export function evaluationMode(model: Module): () => void {
  const trained = [...model.modules()].filter((module) => module.training);
  model.eval();
  return () => {
    for (const module of trained) module.training = true;
  };
}

/** Records `fn` in evaluation mode; every module is then in the mode that it was in. */
export function inEvaluationMode<T>(model: Module, fn: () => T): T {
  const restore = evaluationMode(model);
  try {
    return fn();
  } finally {
    restore();
  }
}
