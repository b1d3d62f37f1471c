import type { Suite } from '../bench';
import { attention } from './attention';
import { elementwise } from './elementwise';
import { eventLoop } from './event-loop';
import { kernels } from './kernels';
import { landscape } from './landscape';
import { memory } from './memory';
import { overhead } from './overhead';
import { programs } from './programs';

/** In this order: the event loop's first, as it includes what is compiled at first. */
export const suites: { readonly [name: string]: Suite } = {
  'event-loop': eventLoop,
  programs,
  overhead,
  elementwise,
  kernels,
  attention,
  landscape,
  memory,
};
