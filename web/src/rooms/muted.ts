// Whether a room is muted. A mute ends by itself.

interface Muted {
  readonly mutedUntil: string | null;
}

export const isMuted = (membership: Muted | null | undefined): boolean => Date.parse(membership?.mutedUntil ?? '') > Date.now();
