/** The little HTML that help is made of. Text is escaped, links go to the web or to a mailbox and nowhere else. */

export function escapeHtml(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;')
    .replace(/'/g, '&#39;');
}

export function safeAddress(address: string | undefined): string | undefined {
  const trimmed = address?.trim();
  return trimmed !== undefined && /^(?:https?:\/\/|mailto:)[^\s<>"'`]+$/i.test(trimmed) ? trimmed : undefined;
}

/** `shown` is HTML. Without an address that can be followed it stands alone. */
export function anchor(address: string | undefined, shown: string): string {
  const safe = safeAddress(address);
  if (safe === undefined) return shown;
  return `<a href="${escapeHtml(safe)}" target="_blank" rel="noopener noreferrer">${shown}</a>`;
}
