// One run of the benchmark: every scenario in several rounds, and in each round all contenders in turn.

import type { Contender } from './contender.ts';
import { Results, type RoundSample } from './report/results.ts';
import type { Rig } from './rig/rig.ts';
import type { Pace, Scenario } from './scenarios/scenario.ts';

export interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly contenders: readonly Contender[];
  readonly pace: Pace;
}

/** Measures everything. A failed measurement is recorded and the run continues, because a contender that breaks is a result too. */
export async function run(rig: Rig, plan: Plan, report: (line: string) => void): Promise<Results> {
  const samples: RoundSample[] = [];
  const failures: string[] = [];
  for (const scenario of plan.scenarios) {
    const measured = scenario.contenders(plan.contenders);
    const rounds = Math.min(plan.pace.rounds, scenario.maxRounds ?? plan.pace.rounds);
    for (let round = 0; round < rounds; round += 1) {
      for (const contender of rotate(measured, round)) {
        const startMs = performance.now();
        try {
          const found = await scenario.run(rig, contender, plan.pace);
          samples.push(...found.map((sample) => ({ ...sample, round: round + 1 })));
          report(
            `scenario ${scenario.number}, round ${round + 1}, ${contender.name}: ${Math.round((performance.now() - startMs) / 1000)} s`,
          );
        } catch (error) {
          const failure = `scenario ${scenario.number}, round ${round + 1}, ${contender.name}: ${(error as Error).message}`;
          failures.push(failure);
          report(failure);
        }
      }
    }
  }
  return new Results(samples, failures);
}

/** Each round begins with another contender, so that none is always first. */
const rotate = <T>(all: readonly T[], by: number): T[] => all.map((_, index) => all[(index + by) % all.length] as T);
