// Line icons in the colour of the text. They are hidden from screen readers: the button around them has a label.

const paths = {
  add: 'M12 5v14M5 12h14',
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  delete: 'M5 7h14M10 7V5h4v2M7 7l1 12h8l1-12M10.5 11v5M13.5 11v5',
  down: 'M12 5v14M6 13l6 6 6-6',
  edit: 'M4 20l1-4L16.5 4.5l3 3L8 19l-4 1zM14 7l3 3',
  leave: 'M14 5H6v14h8M10 12h10M16.5 8.5L20 12l-3.5 3.5',
  lock: 'M7 11V8a5 5 0 0110 0v3M6 11h12v8H6z',
  members: 'M9 11a3 3 0 100-6 3 3 0 000 6zM3.5 19a5.5 5.5 0 0111 0M16 5.3a3 3 0 010 5.4M17 14a5.5 5.5 0 013.5 5',
  message: 'M4 5h16v11H10l-4 3.5V16H4z',
  muted: 'M6 17h12l-1.5-2.5V11a4.5 4.5 0 00-9 0v3.5zM10.5 20h3M4 4l16 16',
  notify: 'M6 17h12l-1.5-2.5V11a4.5 4.5 0 00-9 0v3.5zM10.5 20h3',
  open: 'M9.5 4l-2 16M16.5 4l-2 16M4.5 9h16M3.5 15h16',
  search: 'M11 17a6 6 0 100-12 6 6 0 000 12zM15.5 15.5L20 20',
  send: 'M4.5 12L20 4.5 15.5 20l-3.5-6.5zM12 13.5l8-9',
  settings: 'M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4',
  unread: 'M4 5h16v11H10l-4 3.5V16H4zM12 8.5v4M10 10.5h4',
  up: 'M12 19V5M6 11l6-6 6 6',
} as const;

export const Icon = ({ name }: { name: keyof typeof paths }) => (
  <svg className="icon" viewBox="0 0 24 24" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);
