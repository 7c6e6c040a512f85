// The next step for a fault, by its code. Pure.

import type { ViewName } from './backend/shell';
import type { Code, Request } from './types';

export type Remedy = { label: string; request?: Request; go?: ViewName };

export function remedy(code: Code): Remedy | null {
  switch (code) {
    case 'hub-unreachable':
    case 'owner-offline':
    case 'service-down':
    case 'timed-out':
    case 'clock-skew':
    case 'relay-taken':
    case 'keychain-locked':
    case 'keychain-missing':
    case 'keychain-failed':
      return { label: 'Try again', request: { request: 'retry' } };
    case 'no-way-in':
      return { label: 'Add a hub', go: 'settings' };
    case 'paused':
      return { label: 'Resume everything', request: { request: 'pause-all', on: false } };
    case 'key-changed':
    case 'key-refused':
    case 'blocked':
      return { label: 'Open contacts', go: 'contacts' };
    default:
      return null;
  }
}

/** Whether the state is intended: shown as information, not as an error. */
export function isIntentional(code: Code): boolean {
  return code === 'paused' || code === 'paused-by-owner' || code === 'asked';
}

/** Whether the access has ended: only the owner can give it again. */
export function isEnd(code: Code): boolean {
  return ['revoked', 'expired', 'service-closed', 'blocked', 'denied'].includes(code);
}

/** Whether it resolves by itself. */
export function isTransient(code: Code): boolean {
  return ['owner-offline', 'hub-unreachable', 'service-down', 'timed-out', 'asked', 'paused-by-owner', 'paused'].includes(code);
}

export function tone(code: Code): 'bad' | 'warn' | 'plain' {
  if (isIntentional(code) || isEnd(code)) return 'plain';
  return isTransient(code) ? 'warn' : 'bad';
}
