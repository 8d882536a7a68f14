// Runs on the device that reads the steps: an answer over HTTPS means that it trusts the certificate.
const TIMEOUT_MS = 6000;
const verdict = document.getElementById('verdict');
const open = document.getElementById('open');
const again = document.getElementById('again');
const { origins, probe } = document.body.dataset;
const [byName, byAddress] = origins.split(' ');

async function answers(origin) {
  if (!origin) return false;
  try {
    await fetch(origin + probe, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    return true;
  } catch {
    return false;
  }
}

function say(state, text, origin) {
  verdict.dataset.state = state;
  verdict.textContent = text;
  open.href = `${origin}/`;
}

let checking = false;
async function check() {
  if (checking) return;
  checking = true;
  say('checking', 'Checking …', byName);
  const [name, address] = await Promise.all([answers(byName), answers(byAddress)]);
  if (name) say('trusted', 'This device trusts Shoal.', byName);
  else if (address) {
    const host = new URL(byName).hostname;
    say('trusted', `This device trusts Shoal, and does not find it as ${host}: it opens by its address.`, byAddress);
  } else say('refused', 'Not yet: this device does not trust Shoal. Follow the steps, then check again.', byName);
  checking = false;
}

again.hidden = false;
again.addEventListener('click', check);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') check();
});
check();
