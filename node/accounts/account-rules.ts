/** What a valid e-mail address, public name and password are: Galaxy's rules and Galaxy's sentences. Pure. */
import { accountErrors } from './errors.js';

const EMAIL = /^[^\s@"<>(),;:\\[\]]+@[^\s@"<>(),;:\\[\]]+\.[^\s@"<>(),;:\\[\].]+$/;
const USERNAME = /^[a-z0-9._-]+$/;
const TEXT_MAX = 255;
const USERNAME_MIN = 3;
const PASSWORD_MIN = 6;
/** argon2 takes more; nobody types it, and hashing megabytes is work for nothing. */
const PASSWORD_MAX = 1024;

/** As stored and compared: without space around it. Upper case is kept for showing and ignored when comparing. */
export function checkEmail(text: string): string {
  const email = text.trim();
  if (email.length > TEXT_MAX) return refuse('Email address cannot be more than 255 characters in length.');
  if (!EMAIL.test(email)) return refuse('The format of the email address is not correct.');
  return email;
}

export function checkUsername(text: string): string {
  const username = text.trim();
  if (username.length < USERNAME_MIN) return refuse('Public name must be at least 3 characters in length.');
  if (username.length > TEXT_MAX) return refuse('Public name cannot be more than 255 characters in length.');
  if (!USERNAME.test(username)) {
    return refuse("Public name must contain only lower-case letters, numbers, '.', '_' and '-'.");
  }
  return username;
}

export function checkPassword(password: string, confirm?: string | null): string {
  if (password.length < PASSWORD_MIN) return refuse('Use a password of at least 6 characters.');
  if (password.length > PASSWORD_MAX) return refuse('Use a password of at most 1024 characters.');
  if (password.includes('\u0000')) return refuse('Passwords cannot contain a null character.');
  if (confirm !== undefined && confirm !== null && confirm !== password) return refuse("Passwords don't match.");
  return password;
}

function refuse(message: string): never {
  throw accountErrors('invalid', { message });
}
