// The oracle of unread counts: a naive fold over the messages of a room and the operations on read markers. It knows neither
// seqs nor counters, only the definition: unread are TALK messages that are not deleted and not the member's own, with a number
// above their marker and above what retention removed.

export interface Said {
  readonly id: string;
  readonly number: number;
  readonly senderId: string;
  readonly isTalk: boolean;
  isDeleted: boolean;
}

export interface Marker {
  /** Everything up to this number is read. */
  through: number;
  version: number;
  /** The highest `through` ever. */
  seen: number;
  isMuted: boolean;
}

export class RoomOracle {
  readonly roomId: string;
  readonly messages: Said[] = [];
  readonly members = new Map<string, Marker>();
  /** The number of the newest message that retention removed. */
  floor = 0;

  constructor(roomId: string, ownerId: string) {
    this.roomId = roomId;
    this.members.set(ownerId, { through: 0, version: 0, seen: 0, isMuted: false });
  }

  get lastNumber(): number {
    return this.messages.at(-1)?.number ?? 0;
  }

  say(senderId: string, isTalk: boolean, id = ''): Said {
    const said = { id, number: this.lastNumber + 1, senderId, isTalk, isDeleted: false };
    this.messages.push(said);
    return said;
  }

  join(userId: string): void {
    const { number } = this.say(userId, false);
    this.members.set(userId, { through: number, version: 0, seen: number, isMuted: false });
  }

  leave(userId: string): void {
    this.members.delete(userId);
    this.say(userId, false);
  }

  /** `version`: what the device knew. Undefined: it did not say. */
  read(userId: string, through: number, version?: number): void {
    const marker = this.members.get(userId);
    if (!marker || (version !== undefined && version < marker.version)) return;
    marker.through = Math.max(marker.through, through);
    marker.seen = Math.max(marker.seen, marker.through);
  }

  markUnread(userId: string, { number }: Said): void {
    const marker = this.members.get(userId) as Marker;
    marker.through = number - 1;
    marker.version += 1;
    marker.seen = Math.max(marker.seen, marker.through);
  }

  /** Undefined for a user who is not a member. */
  unread(userId: string): number | undefined {
    const marker = this.members.get(userId);
    if (!marker) return undefined;
    const isUnread = ({ number, senderId, isTalk, isDeleted }: Said) =>
      isTalk && !isDeleted && senderId !== userId && number > marker.through && number > this.floor;
    return this.messages.filter(isUnread).length;
  }
}
