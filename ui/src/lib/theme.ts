// Light or dark, whatever the desktop says: rewrites the conditions of the style sheets, which are written for the desktop's choice.

import type { Theme } from './backend/shell';

const DARK = '(prefers-color-scheme: dark)';
/** Conditions that always and never hold, and can be combined with others. */
const ALWAYS = '(min-width: 0)';
const NEVER = '(max-width: 0)';

/** The rules that depend on it, with their conditions as written. */
const written = new Map<CSSMediaRule, string>();

function collect(rules: CSSRuleList): void {
  for (const rule of rules) {
    if (!(rule instanceof CSSMediaRule)) continue;
    if (!written.has(rule) && rule.media.mediaText.includes(DARK)) written.set(rule, rule.media.mediaText);
    collect(rule.cssRules);
  }
}

export function applyTheme(theme: Theme): void {
  if (theme === 'system' && written.size === 0) return;
  for (const sheet of document.styleSheets) collect(sheet.cssRules);
  for (const [rule, condition] of written) {
    rule.media.mediaText = theme === 'system' ? condition : condition.replaceAll(DARK, theme === 'dark' ? ALWAYS : NEVER);
  }
  // What the browser draws itself: scroll bars, fields.
  document.documentElement.style.colorScheme = theme === 'system' ? '' : theme;
}
