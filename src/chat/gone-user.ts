// Errors for users whose row an operator deleted. No other file decides how a change by or for such a user fails.

import { GaplessError, notFound, unauthenticated } from '../errors.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import type { Rows } from '../storage/rows.ts';

/** The foreign keys to users from the rows that changes write. */
const userKeys = ['messages_sender_id_fkey', 'memberships_user_id_fkey', 'rooms_created_by_fkey'];

export const accountGone = () => unauthenticated('The account is gone: sign in again.');

/** Whether a change failed because a user that it names no longer has a row. */
export const isOfGoneUser = (error: unknown) => error instanceof DatabaseFailure && userKeys.includes(error.constraint ?? '');

/**
 * Runs a change. Throws UNAUTHENTICATED if it fails because the viewer no longer has a row, and NOT_FOUND for the input
 * `field` if another user no longer has one. A viewer without a row has no memberships either, so FORBIDDEN or NOT_FOUND may
 * have the same cause.
 */
export async function requireUsers<T>(rows: Rows, viewerId: string, change: () => Promise<T>, field?: string): Promise<T> {
  try {
    return await change();
  } catch (error) {
    const isOfUser = isOfGoneUser(error);
    const isRefusal = error instanceof GaplessError && (error.code === 'FORBIDDEN' || error.code === 'NOT_FOUND');
    if (!isOfUser && !isRefusal) throw error;
    const [viewer] = await rows.users([viewerId]);
    if (!viewer) throw accountGone();
    throw isOfUser && field !== undefined ? notFound('There is no such user.', field) : error;
  }
}
