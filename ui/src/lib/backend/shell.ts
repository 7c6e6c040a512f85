// What the window asks of the program around the engine: the shell. The twin of these types is the shell's own.

import type { Fault, InvitationId, ServiceId } from '../types';

export type Platform = 'linux' | 'macos' | 'windows';

export type ShellState = {
  autostart: boolean;
  notifications: boolean;
  platform: Platform;
  version: string;
  log_file: string;
  /** Why the engine could not start. */
  fault: Fault | null;
};

export type ShellAction =
  | { action: 'set-autostart'; on: boolean }
  | { action: 'set-notifications'; on: boolean }
  | { action: 'open-url'; url: string }
  | { action: 'copy'; text: string }
  | { action: 'show-logs' }
  | { action: 'copy-diagnostics' }
  | { action: 'quit' }
  | { action: 'retry-start' }
  | { action: 'hide' }
  | { action: 'pin'; on: boolean };

export type ViewName = 'home' | 'share' | 'invitations' | 'contacts' | 'activity' | 'settings';

/** Where the tray, a notification or a link leads. */
export type Navigate = { view: ViewName; invitation?: InvitationId; service?: ServiceId };
