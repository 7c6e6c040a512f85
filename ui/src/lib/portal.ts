// The state of a portal in words, and whether it counts as a problem. Pure; `InletView::is_failing` is the engine's.

import { isEnd, isIntentional } from './remedy';
import type { Code, InletView } from './types';

/** Whether the access has ended: the portal can only be removed, or be replaced by a new invitation. */
export function hasEnded({ link }: InletView): boolean {
  return link.state === 'down' && isEnd(link.fault.code);
}

/** Whether it should be up and is not: neither paused by somebody, nor ended. */
export function isFailing({ link }: InletView): boolean {
  return link.state === 'down' && !isIntentional(link.fault.code) && !isEnd(link.fault.code);
}

const DOWN: Partial<Record<Code, string>> = {
  paused: 'Paused',
  'paused-by-owner': 'Paused by owner',
  revoked: 'Access ended',
  expired: 'Access expired',
  'service-closed': 'No longer shared',
  blocked: 'Blocked',
  denied: 'Refused',
  asked: 'Waiting for approval',
  'port-taken': 'Port in use',
  'owner-offline': 'Owner offline',
  'service-down': 'Not responding',
  'hub-unreachable': 'Hub unreachable',
};

/** The state in one or two words; nothing while it is up, since then its connection says more. */
export function portalState({ link, on }: InletView, paused: boolean): string {
  switch (link.state) {
    case 'off':
      return on && paused ? 'Paused' : 'Off';
    case 'connecting':
      return 'Connecting…';
    case 'down':
      return DOWN[link.fault.code] ?? 'Unavailable';
    case 'up':
      return '';
  }
}
