// Users whose row an operator deleted: the only place that says what a change by or for such a user is answered with.

import { GaplessError, notFound, unauthenticated } from '../errors.ts';
import { DatabaseFailure } from '../storage/failure.ts';
import type { Db } from '../storage/tables.ts';
import { findUser } from '../storage/users.ts';

/** The foreign keys from what is written to the users that it names. */
const userKeys = ['messages_sender_id_fkey', 'memberships_user_id_fkey', 'rooms_created_by_fkey'];

export const accountGone = () => unauthenticated('The account is gone: sign in again.');

/**
 * Runs a change. Throws UNAUTHENTICATED if it fails because the viewer has no row any more, and NOT_FOUND about the input
 * `field` if another user whom it names has none. A viewer without a row has no memberships either, so that a refusal may
 * have the same reason.
 */
export async function requireUsers<T>(db: Db, viewerId: string, change: () => Promise<T>, field?: string): Promise<T> {
  try {
    return await change();
  } catch (error) {
    const isOfUser = error instanceof DatabaseFailure && userKeys.includes(error.constraint ?? '');
    const isRefusal = error instanceof GaplessError && (error.code === 'FORBIDDEN' || error.code === 'NOT_FOUND');
    if (!isOfUser && !isRefusal) throw error;
    if (!(await findUser(db, viewerId))) throw accountGone();
    throw isOfUser && field !== undefined ? notFound('There is no such user.', field) : error;
  }
}
