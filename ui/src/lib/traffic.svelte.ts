// Recent traffic by grant and by portal, for rates and charts.

import type { TrafficFlow, Traffic } from './types';

/** The time span of a chart. */
export const WINDOW_MS = 60_000;
/** The engine's interval between two samples while data moves. */
const SAMPLE_MS = 500;
/** Without a sample for longer nothing was moving: three intervals, so that a late one is no gap. */
const GAP_MS = 3 * SAMPLE_MS;

export type Sample = { at: number; up: number; down: number };
export type Rates = { up: number; down: number };

export class TrafficHistory {
  /** The latest values by id; replaced as a whole. */
  flows = $state.raw<ReadonlyMap<string, TrafficFlow<string>>>(new Map());
  /** When they were sampled. */
  at = $state(0);
  #samples = new Map<string, Sample[]>();

  update(traffic: Traffic): void {
    const flows = new Map<string, TrafficFlow<string>>();
    for (const flow of [...traffic.grants, ...traffic.inlets]) {
      flows.set(flow.id, flow);
      if (traffic.at) this.#addSample(flow, traffic.at);
    }
    for (const id of this.#samples.keys()) if (!flows.has(id)) this.#samples.delete(id);
    this.flows = flows;
    this.at = traffic.at;
  }

  #addSample(flow: TrafficFlow<string>, at: number): void {
    const samples = this.#samples.get(flow.id) ?? [];
    samples.push({ at, up: flow.up_rate, down: flow.down_rate });
    while (samples.length > 0 && samples[0]!.at < at - 2 * WINDOW_MS) samples.shift();
    this.#samples.set(flow.id, samples);
  }

  rates(ids: readonly string[]): Rates {
    const sum = { up: 0, down: 0 };
    for (const id of ids) {
      const flow = this.flows.get(id);
      if (flow) {
        sum.up += flow.up_rate;
        sum.down += flow.down_rate;
      }
    }
    return sum;
  }

  totals(ids: readonly string[]): Rates {
    const sum = { up: 0, down: 0 };
    for (const id of ids) {
      const flow = this.flows.get(id);
      if (flow) {
        sum.up += flow.up_bytes;
        sum.down += flow.down_bytes;
      }
    }
    return sum;
  }

  /** The samples of several flows added up, oldest first. */
  history(ids: readonly string[]): Sample[] {
    const sums = new Map<number, Sample>();
    for (const id of ids) {
      for (const { at, up, down } of this.#samples.get(id) ?? []) {
        const sum = sums.get(at) ?? { at, up: 0, down: 0 };
        sum.up += up;
        sum.down += down;
        sums.set(at, sum);
      }
    }
    return withoutRamps([...sums.values()].sort((a, b) => a.at - b.at));
  }
}

/** Idle times have no samples: their ends become zero, so that no line connects what was before with what is after. */
export function withoutRamps(samples: readonly Sample[]): Sample[] {
  return samples.flatMap((sample, i) => {
    const before = samples[i - 1];
    if (!before || sample.at - before.at <= GAP_MS) return [sample];
    return [{ at: before.at + SAMPLE_MS, up: 0, down: 0 }, { at: sample.at - SAMPLE_MS, up: 0, down: 0 }, sample];
  });
}
