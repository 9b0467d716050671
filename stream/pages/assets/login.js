// What every page does where its cookie is over: log in, and come back to where it was.

const ON_THE_WAY = 10_000; // ms; to go there again any sooner would begin the way anew

/** Go to log in if `answer` says so; then whoever waits for this waits while the browser is on its way. */
export async function loggedIn(answer) {
  if (answer.status !== 401) return;
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  await new Promise((wake) => setTimeout(wake, ON_THE_WAY));
}
