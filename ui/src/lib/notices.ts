// A notice as a sentence. Pure.

import type { Notice } from './types';

/** `shown`: whether no row of the window tells it anyway. */
export function describeNotice(notice: Notice): { text: string; shown: boolean } {
  switch (notice.notice) {
    case 'invited':
      return { text: `${notice.from} invites you to ${notice.service}`, shown: false };
    case 'knock':
      return { text: `${notice.from} asks to use ${notice.service}`, shown: false };
    case 'joined':
      return { text: `${notice.from} joined ${notice.name}`, shown: true };
    case 'declined':
      return { text: `${notice.from} declined ${notice.name}`, shown: true };
    case 'gave-back':
      return { text: `${notice.from} gave ${notice.name} back`, shown: true };
    case 'portal-up':
      return { text: `${notice.name} is up at ${notice.address}`, shown: false };
    case 'portal-down':
      return { text: `${notice.name} is down. ${notice.fault.message}`, shown: false };
    case 'hub-lost':
      return { text: `Hub ${notice.address} is gone. ${notice.fault.message}`, shown: false };
    case 'hub-back':
      return { text: `Hub ${notice.address} is back`, shown: false };
    case 'key-changed':
      return { text: `The key of ${notice.from} has changed`, shown: true };
  }
}
