// Why something failed, said aloud as soon as it is known.

export const Problem = ({ children }: { children: string | undefined }) => (
  <div role="alert">{children === undefined ? null : <p className="problem">{children}</p>}</div>
);
