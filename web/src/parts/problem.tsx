// The message of a failure. Screen readers announce it.

export const Problem = ({ children }: { children: string | undefined }) => (
  <div role="alert">{children === undefined ? null : <p className="problem">{children}</p>}</div>
);
