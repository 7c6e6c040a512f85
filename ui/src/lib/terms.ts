// The terms of a grant, as form fields and as text. Pure.

import { date, until } from './format';
import type { Terms } from './types';

const HOUR = 3_600_000;

export const DURATIONS = [
  { span: 'always', label: 'Never', ms: null },
  { span: 'hour', label: '1 hour', ms: HOUR },
  { span: 'workday', label: '8 hours', ms: 8 * HOUR },
  { span: 'day', label: '1 day', ms: 24 * HOUR },
  { span: 'week', label: '1 week', ms: 7 * 24 * HOUR },
  { span: 'month', label: '30 days', ms: 30 * 24 * HOUR },
  { span: 'quit', label: 'When I quit Postern', ms: null },
  { span: 'date', label: 'On a date…', ms: null },
] as const;

export type Span = (typeof DURATIONS)[number]['span'];

/** The form's values: `day` as `2026-03-12`, `connections` as typed. */
export type TermsChoice = { span: Span; day: string; connections: string };

export const UNLIMITED: TermsChoice = { span: 'always', day: '', connections: '' };

export function toTerms(choice: TermsChoice, now: number): Terms {
  const connections = Math.floor(Number(choice.connections));
  return {
    until: end(choice, now),
    until_quit: choice.span === 'quit',
    connections: connections >= 1 ? connections : null,
  };
}

function end(choice: TermsChoice, now: number): number | null {
  if (choice.span === 'date') return choice.day ? new Date(`${choice.day}T23:59:59`).getTime() : null;
  const ms = DURATIONS.find(({ span }) => span === choice.span)?.ms;
  return ms ? now + ms : null;
}

/** The form's values for these terms. */
export function toChoice(terms: Terms): TermsChoice {
  const connections = terms.connections === null ? '' : String(terms.connections);
  if (terms.until_quit) return { span: 'quit', day: '', connections };
  if (terms.until === null) return { span: 'always', day: '', connections };
  return { span: 'date', day: isoDay(terms.until), connections };
}

export function isoDay(at: number): string {
  const there = new Date(at);
  const two = (n: number) => String(n).padStart(2, '0');
  return `${there.getFullYear()}-${two(there.getMonth() + 1)}-${two(there.getDate())}`;
}

/** `ends in 3 days`, `until you quit`, or nothing when it has no end. */
export function describeEnd(terms: Terms, now: number): string {
  if (terms.until_quit) return 'until you quit Postern';
  if (terms.until === null) return '';
  return terms.until <= now ? `ended ${date(terms.until, now)}` : `ends ${until(terms.until, now)}`;
}
