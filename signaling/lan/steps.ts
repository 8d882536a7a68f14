import ground from '../../web/style/ground.css?raw';
import tokens from '../../web/style/tokens.css?raw';
import { PROBE_PATH } from '../requests.ts';
import probeScript from './probe.js?raw';
import { escapeXml } from './profile.ts';
import pageStyle from './steps.css?raw';

export const PLATFORMS = ['ios', 'android', 'macos', 'windows'] as const;
export type Platform = (typeof PLATFORMS)[number];

/** What the pages tell about this server. */
export interface StepsFacts {
  /** HTTPS addresses of the app, best first. */
  readonly origins: readonly string[];
  /** The certificate's name on the device. */
  readonly authority: string;
  /** SHA-256 in pairs of hexadecimal digits. */
  readonly fingerprint: string;
}

/** What the pages load, by path. */
export const STEPS_ASSETS: Readonly<Record<string, { readonly type: string; readonly body: string }>> = {
  '/steps.css': { type: 'text/css; charset=utf-8', body: `${tokens}\n${ground}\n${pageStyle}` },
  '/probe.js': { type: 'text/javascript; charset=utf-8', body: probeScript },
};

/** The platform of a browser by its User-Agent header; an iPad calls itself a Mac. */
export function platformOf(userAgent: string): Platform {
  if (/iPhone|iPad|iPod/.test(userAgent)) return 'ios';
  if (/Android/.test(userAgent)) return 'android';
  return /Windows/.test(userAgent) ? 'windows' : /Macintosh|Mac OS X/.test(userAgent) ? 'macos' : 'ios';
}

/** What the pages may do: nothing but ask whether HTTPS answers. */
export function stepsPolicy(origins: readonly string[]): string {
  return [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    `connect-src ${origins.join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

const TITLES: Readonly<Record<Platform, string>> = {
  ios: 'iPhone, iPad',
  android: 'Android',
  macos: 'Mac',
  windows: 'Windows',
};

/** The page of one platform. */
export function stepsPage(platform: Platform, facts: StepsFacts): string {
  const origin = escapeXml(facts.origins[0] ?? '');
  const steps = [...STEPS[platform](facts), checkStep(origin)];
  const links = PLATFORMS.map(
    (each) => `<a href="/${each}"${each === platform ? ' aria-current="page"' : ''}>${TITLES[each]}</a>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<title>Open Shoal on this device: ${TITLES[platform]}</title>
<link rel="stylesheet" href="/steps.css">
<script type="module" src="/probe.js"></script>
</head>
<body data-origins="${facts.origins.slice(0, 2).map(escapeXml).join(' ')}" data-probe="${PROBE_PATH}">
<main>
<header>
<svg viewBox="0 -4 12 8" aria-hidden="true"><path d="M6 0C4-3.5 0-4-6-2.5Q-3.6 0-6 2.5C0 4 4 3.5 6 0Z" transform="translate(6)"/></svg>
Shoal
</header>
<h1>Let this device open Shoal</h1>
<p class="lead">Browsers compute only on pages that come encrypted. Your computer made a certificate for that; this device has
to be told once that it is yours. It takes about two minutes.</p>
<nav aria-label="Device">
${links.join('\n')}
</nav>
<ol class="steps">
${steps.map((step) => `<li>${step}</li>`).join('\n')}
</ol>
<footer>
<h2>What you allow</h2>
<p>“${escapeXml(facts.authority)}” vouches for names that end in .local and for private addresses, and for no site of the
internet. Its key stays on your computer.</p>
<p>To take it back, remove “${escapeXml(facts.authority)}” in the same settings in which you allowed it.</p>
</footer>
</main>
</body>
</html>
`;
}

function checkStep(origin: string): string {
  return `<p id="verdict" role="status">Open ${origin}: if no warning appears, it worked.</p>
<p><a class="btn main" id="open" href="${origin}/">Open Shoal</a>
<button class="btn" id="again" type="button" hidden>Check again</button></p>`;
}

const path = (text: string): string => `<span class="path">${text}</span>`;

/** Eight pairs a line: so they are compared without losing one's place. */
function compare(facts: StepsFacts): string {
  const lines = escapeXml(facts.fingerprint).match(/.{1,24}/g) ?? [];
  return `<p class="note">Its fingerprint (SHA-256) must be the one that the computer shows in its terminal. Where it differs from
that, whatever this page says, do not go on:</p>
<code>${lines.join('<br>')}</code>`;
}

const STEPS: Readonly<Record<Platform, (facts: StepsFacts) => readonly string[]>> = {
  ios: (facts) => [
    `<p>In Safari, download the profile and tap ${path('Allow')}.</p>
<p><a class="btn main" href="/shoal.mobileconfig">Download the profile</a></p>`,
    `<p>Open ${path('Settings')}. Under your name stands ${path('Profile Downloaded')}; tap it, then ${path('Install')}.</p>
<p class="note">Not there? ${path('General › VPN &amp; Device Management')}. Under ${path('More Details')} you see the
certificate.</p>
${compare(facts)}`,
    `<p>Now trust it: ${path('Settings › General › About › Certificate Trust Settings')}, at the very bottom. Turn on
“${escapeXml(facts.authority)}”.</p>
<p class="note">Without this step Safari goes on refusing.</p>`,
  ],
  android: (facts) => [
    `<p>Download the certificate.</p>
<p><a class="btn main" href="/shoal.crt">Download the certificate</a></p>`,
    `<p>Open ${path('Settings')} and search for ${path('CA certificate')}. Tap it, then ${path('Install anyway')}, and
choose ${path('shoal.crt')} among the downloads.</p>
<p class="note">By hand: ${path('Security &amp; privacy › More security settings › Encryption &amp; credentials › Install a certificate › CA certificate')}.
Names differ a little between makers.</p>`,
    `<p>Look at it: ${path('Encryption &amp; credentials › Trusted credentials › User')}.</p>
${compare(facts)}
<p class="note">Android says that the network may be monitored. It says so of every certificate that a person adds.</p>`,
  ],
  macos: (facts) => [
    `<p>Download the certificate and open it. Keychain Access asks; add it to ${path('login')}.</p>
<p><a class="btn main" href="/shoal.crt">Download the certificate</a></p>
<p class="note">On an iPad? Choose “iPhone, iPad” above.</p>`,
    `<p>In Keychain Access, double-click “${escapeXml(facts.authority)}”. Open ${path('Trust')}, choose
${path('Always Trust')}, and close the window.</p>
<p class="note">Under ${path('Details')} you see the certificate.</p>
${compare(facts)}
<p class="note">The same in Terminal:
<code>security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ~/Downloads/shoal.crt</code></p>`,
  ],
  windows: (facts) => [
    `<p>Download the certificate and open it.</p>
<p><a class="btn main" href="/shoal.crt">Download the certificate</a></p>
${compare(facts)}
<p class="note">PowerShell shows it: <code>certutil -hashfile $HOME\\Downloads\\shoal.crt SHA256</code></p>`,
    `<p>${path('Install Certificate… › Current User › Place all certificates in the following store › Browse › Trusted Root Certification Authorities')},
then ${path('OK')}, ${path('Next')}, ${path('Finish')}, and ${path('Yes')}.</p>
<p class="note">The same in PowerShell: <code>certutil -user -addstore Root $HOME\\Downloads\\shoal.crt</code></p>`,
    '<p>Close the browser and open it again.</p>',
  ],
};
