export { writeFileAtomic } from './atomic';
export {
  encodeSafetensors,
  readSafetensors,
  writeSafetensors,
  type Safetensors,
  type SafetensorsEntry,
} from './safetensors';
