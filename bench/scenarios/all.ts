// The scenarios, in the order of their numbers.

import { history } from './history.ts';
import { idle } from './idle.ts';
import { paced } from './paced.ts';
import { pairs } from './pairs.ts';
import { resume } from './resume.ts';
import { saturated } from './saturated.ts';
import type { Scenario } from './scenario.ts';
import { sends } from './sends.ts';
import { twoNodes } from './two-nodes.ts';

export const scenarios: readonly Scenario[] = [paced, saturated, pairs, sends, idle, resume, history, twoNodes];
