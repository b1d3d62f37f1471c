import '../backend';

export { writeFileAtomic } from './atomic';
export {
  encodeSafetensors,
  readSafetensors,
  writeSafetensors,
  type Safetensors,
  type SafetensorsEntry,
} from './safetensors';
export { loadWeights, saveWeights } from './weights';
