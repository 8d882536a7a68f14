/** The page's room over a stand-in worker: made, joined, asked, shown, and answered by. */
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import encodeQR from 'qr';
import { serveStandIn } from '../stand-in/serve.mjs';

const PHONE = { width: 375, height: 812 };
const DESKTOP = { width: 1440, height: 900 };
const CODE = 'AWq3rT8zK1mB6yV0cN5xE2hJ7dL4sPf9uGoQiRnZtYbC1w';
const LAN = { origins: ['https://studio.local:8443'], steps: 'http://192.168.1.20:8480/' };
const LOCAL_ONLY = { origins: [] };

let site: Awaited<ReturnType<typeof serveStandIn>>;
test.beforeAll(async () => {
  site = await serveStandIn();
});
test.afterAll(async () => {
  await site.close();
});

async function open(page: Page, address: string, server: object = LAN): Promise<void> {
  await page.route('**/signaling/server', (route) => route.fulfill({ json: server }));
  await page.goto(site.origin + address);
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true });
const device = (page: Page, name: string) =>
  page.locator('.dev').filter({ has: page.getByRole('heading', { name, exact: true }) });
const answer = (page: Page) => page.getByRole('article', { name: 'Answer' }).last();

async function ask(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
}

test('layers are laid over the devices by hand, by keyboard too', async ({ page }) => {
  await page.setViewportSize(PHONE);
  await open(page, '/?kept&room=ready#/room');
  await page.getByRole('button', { name: 'Lay it out by hand' }).click();
  const form = page.getByRole('form', { name: 'Who holds how many layers' });
  await expect(form.getByRole('heading')).toBeFocused();
  const layers = (name: string) => form.getByLabel(`Layers on ${name}`, { exact: true });
  const counts = () =>
    Promise.all(['MacBook Air', 'Kitchen iPad', 'ThinkPad'].map((name) => layers(name).inputValue()));
  const begin = (await counts()).map(Number);
  expect(begin.reduce((sum, count) => sum + count)).toBe(30);
  await form.getByRole('button', { name: 'One layer fewer on MacBook Air' }).click();
  await expect(form.getByText('1 of 30 layers is given to nobody.')).toBeVisible();
  await expect(form.getByRole('button', { name: 'Lay it out this way' })).toHaveAttribute('aria-disabled', 'true');
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target)}`)).toEqual([]);
  await layers('MacBook Air').fill('25');
  await layers('MacBook Air').press('Tab');
  await layers('Kitchen iPad').fill('0');
  await layers('ThinkPad').fill('5');
  await layers('ThinkPad').blur();
  await expect(form.getByText('All 30 layers are given.')).toBeVisible();
  await form.getByRole('button', { name: 'Lay it out this way' }).click();
  await expect(form.getByRole('alert')).toContainText('Give it 20 at most.');
  await layers('MacBook Air').fill('20');
  await layers('ThinkPad').fill('10');
  await layers('ThinkPad').blur();
  await form.getByRole('button', { name: 'ThinkPad before the one above' }).click();
  await form.getByRole('button', { name: 'ThinkPad before the one above' }).click();
  await form.getByRole('button', { name: 'Lay it out this way' }).click();
  await expect(form).toBeHidden();
  await expect(page.getByRole('button', { name: 'Lay it out by hand' })).toBeFocused();
  const lines = page.locator('.stages li');
  await expect(lines).toHaveCount(2);
  await expect(lines.first()).toContainText('ThinkPad');
  await expect(lines.first()).toContainText('Layers 1–10');
  await expect(lines.last()).toContainText('Layers 11–30');
});

for (const room of ['none', 'three', 'busy']) {
  test(`a phone reads the page in the order that it shows: ${room}`, async ({ page }) => {
    await page.setViewportSize(PHONE);
    await open(page, `/?kept&room=${room}#/room`);
    await expect(page.locator('main h2').first()).toBeVisible();
    const tops = await page
      .locator('main h2, main h3, main .privacy')
      .evaluateAll((all) => all.map((each) => each.getBoundingClientRect().top));
    expect(tops.length).toBeGreaterThan(2);
    expect(tops).toEqual([...tops].sort((a, b) => a - b));
  });
}

test.describe('getting into a room', () => {
  test('what making a room leads to is said of this computer alone, or of a network', async ({ page }) => {
    await open(page, '/?kept#/room', LOCAL_ONLY);
    await expect(page.getByText('The next page opens a second window of this computer')).toBeVisible();
    await page.unroute('**/signaling/server');
    await open(page, '/?kept&again#/room');
    await expect(page.getByText('The next page has a code for the others to scan.')).toBeVisible();
  });

  test('a room is made with a name and asks before devices join, unless told otherwise', async ({ page }) => {
    await open(page, '/?kept#/room');
    await expect(page.getByLabel('This device is called')).toHaveValue(/^Chrome on the Mac/);
    await page.getByLabel('This device is called').fill('Studio');
    const asks = page.getByRole('switch', { name: 'Ask before a new device joins' });
    await expect(asks).toHaveAttribute('aria-checked', 'true');
    await asks.click();
    await page.getByRole('button', { name: 'Make a room' }).click();
    await expect(device(page, 'Studio')).toContainText('This device');
    await expect(page.getByText('This device is alone in the room.')).toBeVisible();
    await expect(asks).toHaveAttribute('aria-checked', 'false');
    await asks.click();
    await expect(asks).toHaveAttribute('aria-checked', 'true');
    await page.getByRole('button', { name: 'Leave' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
    // what was typed is suggested again
    await expect(page.getByLabel('This device is called')).toHaveValue('Studio');
  });

  test('a nameless device is asked for its name', async ({ page }) => {
    await open(page, '/?kept#/room');
    await page.getByLabel('This device is called').fill('  ');
    await page.getByRole('button', { name: 'Make a room' }).click();
    await expect(page.getByText('A device needs a name.')).toBeVisible();
    await expect(page.getByLabel('This device is called')).toBeFocused();
  });

  test('the key of an invite leaves the address and the history at once', async ({ page }) => {
    await open(page, '/?kept#/models');
    await expect(heading(page, 'Models')).toBeAttached();
    await page.evaluate((code) => {
      location.hash = `#/join/${code}`;
    }, CODE);
    await expect(heading(page, 'You are invited to a room.')).toBeVisible();
    expect(page.url()).not.toContain(CODE);
    await page.goBack();
    await expect(page).toHaveURL(/#\/models$/);
    await page.goForward();
    expect(page.url()).not.toContain(CODE);
    await page.goto(`${site.origin}/?kept&again#/join/${CODE}`);
    await expect(heading(page, 'You are invited to a room.')).toBeVisible();
    expect(page.url()).not.toContain(CODE);
    await page.getByRole('button', { name: 'Not now' }).click();
    await expect(page.getByRole('button', { name: 'Make a room' })).toBeVisible();
  });

  test('a join goes through asking to the devices', async ({ page }) => {
    await open(page, `/?kept#/join/${CODE}`);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(heading(page, 'Joining the room')).toBeVisible();
    await expect(heading(page, 'Waiting to be let in')).toBeVisible();
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
    await expect(page.getByText('3 devices are here.')).toBeVisible();
  });

  test('a link is pasted; what is no invite is refused with the reason', async ({ page }) => {
    await open(page, '/?kept#/room');
    const field = page.getByLabel('Link of the invite');
    await field.fill('https://example.org/');
    await field.press('Enter');
    await expect(page.getByRole('alert')).toContainText('This is not a Shoal invite.');
    await field.fill(`Come in: https://studio.local:8443/#/join/${CODE}`);
    await field.press('Enter');
    await expect(device(page, 'ThinkPad')).toBeVisible();
  });

  for (const [refused, what, todo] of [
    ['removed', 'This device was removed from the room.', 'Ask somebody inside for a new invite.'],
    ['old-invite', 'This invite was replaced', 'Ask for a new one.'],
    ['version', 'The devices have different versions', 'Reload this page'],
    ['unknown', 'The room does not know this device', 'new invite'],
    ['denied', 'Somebody in the room said no.', 'try again'],
    ['expired', 'Nobody in the room answered in time.', 'try again'],
    ['busy', 'Too many devices want to come in', 'Try again in a few seconds.'],
    ['full', 'The room is full', 'has to leave first'],
    ['nobody-here', 'No device of the room is open now.', 'try again'],
  ] as const) {
    test(`a join that ends with “${refused}” says why and what to do, and offers the way that can work`, async ({
      page,
    }) => {
      await open(page, `/?kept&refused=${refused}#/join/${CODE}`);
      await page.getByRole('button', { name: 'Join', exact: true }).click();
      await expect(page.getByRole('alert')).toContainText(what);
      await expect(page.getByRole('alert')).toContainText(todo);
      const again = page.getByRole('button', { name: 'Try again' });
      if (todo.includes('ry again') || refused === 'full') await again.click();
      else {
        await expect(again).toHaveCount(0);
        await page.getByRole('button', { name: 'Use another invite' }).click();
        await page.getByLabel('Link of the invite').fill(`https://studio.local:8443/#/join/${CODE}`);
        await page.keyboard.press('Enter');
      }
      await expect(device(page, 'Kitchen iPad')).toBeVisible();
    });
  }

  test('on an iPhone the installed app comes first, and joining here second', async ({ page }) => {
    await open(page, `/?kept&platform=iphone#/join/${CODE}`);
    await expect(page.locator('main h2')).toHaveText([
      'Is Shoal installed on this iPhone?',
      'Join here, in this browser',
    ]);
    await expect(page.getByText('Models that the installed app has are downloaded again.')).toBeVisible();
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
  });

  test('a device that was removed is told so, on every page', async ({ page }) => {
    await open(page, '/?kept&room=three&removed-after=1200#/models');
    const told = page.getByText('Another device took this one out of the room.');
    await expect(told).toBeVisible();
    await page.getByRole('navigation').getByRole('link', { name: 'Room' }).first().click();
    await expect(told).toBeVisible();
    await page.getByRole('button', { name: 'Close' }).click();
    await expect(told).toHaveCount(0);
  });
});

test.describe('scanning', () => {
  test('a camera that is refused is explained, and a picture of the code does as well', async ({ browser }) => {
    const context = await browser.newContext({ permissions: [] });
    const page = await context.newPage();
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    });
    await open(page, '/?kept#/room');
    await page.getByRole('button', { name: 'Scan a code' }).click();
    const dialog = page.getByRole('dialog', { name: 'Scan a code' });
    await expect(dialog.getByRole('alert')).toContainText('The camera is not allowed for this page.');
    const picture = async (text: string) => ({
      name: 'code.png',
      mimeType: 'image/png',
      buffer: Buffer.from(
        await page.evaluate(
          async (svg) => {
            const image = new Image();
            image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
            await image.decode();
            const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 640 });
            const drawn = canvas.getContext('2d');
            if (drawn) drawn.fillStyle = '#fff';
            drawn?.fillRect(0, 0, 640, 640);
            drawn?.drawImage(image, 90, 60, 480, 480);
            return canvas.toDataURL().split(',')[1] ?? '';
          },
          encodeQR(text, 'svg', { border: 4 }),
        ),
        'base64',
      ),
    });
    const input = dialog.locator('input[type=file]');
    await input.setInputFiles(await picture('https://example.org/menu'));
    await expect(dialog).toContainText('This code is no invite to a room.');
    await input.setInputFiles(await picture(`https://studio.local:8443/#/join/${CODE}`));
    await expect(dialog).toHaveCount(0);
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
    await context.close();
  });

  test('looks through the camera and joins; closing turns it off', async ({ page }) => {
    await page.addInitScript(
      ({ svg }) => {
        // a camera that sees a sheet of paper with the code on it
        navigator.mediaDevices.getUserMedia = async () => {
          const image = new Image();
          image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
          await image.decode();
          const canvas = Object.assign(document.createElement('canvas'), { width: 1280, height: 720 });
          const drawn = canvas.getContext('2d');
          setInterval(() => {
            if (!drawn) return;
            drawn.fillStyle = '#c8c2b4';
            drawn.fillRect(0, 0, 1280, 720);
            const shows = document.documentElement.dataset.shows === 'yes';
            if (shows) drawn.drawImage(image, 420, 140, 440, 440);
          }, 50);
          const stream = canvas.captureStream(20);
          Object.assign(globalThis, { camera: stream });
          return stream;
        };
      },
      { svg: encodeQR(`https://studio.local:8443/#/join/${CODE}`, 'svg', { border: 4 }) },
    );
    const isOn = () =>
      page.evaluate(() =>
        (globalThis as unknown as { camera: MediaStream }).camera
          .getTracks()
          .some((track) => track.readyState === 'live'),
      );
    await open(page, '/?kept#/room');
    await page.getByRole('button', { name: 'Scan a code' }).click();
    await expect(page.getByText('Hold the code of the room in front of the camera.')).toBeVisible();
    expect(await isOn()).toBe(true);
    await page.keyboard.press('Escape');
    await expect.poll(isOn).toBe(false);
    await expect(page.getByRole('button', { name: 'Scan a code' })).toBeFocused();
    await page.getByRole('button', { name: 'Scan a code' }).click();
    await page.evaluate(() => {
      document.documentElement.dataset.shows = 'yes';
    });
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
    expect(await isOn()).toBe(false);
  });
});

test.describe('in a room', () => {
  test('a code is shown where other devices can open it, with the steps for phones', async ({ page }) => {
    await open(page, '/?kept&room=three#/room');
    await expect(page.getByRole('img', { name: 'QR code of the invite' }).locator('path')).toBeAttached();
    await page.getByText('A phone or another computer, for the first time').click();
    await expect(page.getByRole('link', { name: LAN.steps })).toBeVisible();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.getByRole('button', { name: 'Copy the link' }).click();
    await expect(page.getByText('Copied')).toBeVisible();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`https://studio.local:8443/#/join/${CODE}`);
  });

  test('where only this computer can open the page, it says so and how to change it', async ({ page }) => {
    await open(page, '/?kept&room=alone#/room', LOCAL_ONLY);
    await expect(page.getByText('Only this computer can open this page.')).toBeVisible();
    await expect(page.getByText('npm start -- --lan')).toBeVisible();
    await expect(page.getByRole('img', { name: 'QR code of the invite' })).toHaveCount(0);
    const second = page.getByRole('link', { name: 'Open a second window' });
    await expect(second).toHaveAttribute('href', `${site.origin}/#/join/${CODE}`);
  });

  test('who asks is shown in the navigation and at the top, and anyone answers', async ({ page }) => {
    await open(page, '/?kept&room=busy#/models');
    const link = page.getByRole('navigation').getByRole('link', { name: 'Room 1 device asks to join' }).first();
    await expect(link).toBeVisible();
    await link.click();
    await expect(page.getByText('Tom’s Pixel asks to join.').last()).toBeVisible();
    await page.getByRole('button', { name: 'Allow: Tom’s Pixel' }).click();
    await expect(device(page, 'Tom’s Pixel')).toContainText('Joining');
    await expect(page.getByRole('button', { name: /^Allow/ })).toHaveCount(0);
    await expect(page.getByRole('navigation').getByRole('link', { name: 'Room', exact: true }).first()).toBeVisible();
  });

  test('how a model will lie is said while it runs as it is', async ({ page }) => {
    await open(page, '/?kept&room=busy#/room');
    await expect(page.getByText('Being laid out anew: MacBook Air layers 1 to 15 and Kitchen iPad')).toBeVisible();
    await open(page, '/?kept&room=broken#/room');
    await expect(device(page, 'MacBook Air')).toBeVisible();
    await expect(page.getByText('Being laid out anew')).toHaveCount(0);
  });

  test('an invite to the room that the window is in opens the room; another one is a question', async ({ page }) => {
    await open(page, `/?kept&room=ready#/join/${CODE}`);
    await expect(device(page, 'MacBook Air')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Join', exact: true })).toHaveCount(0);
    await open(page, `/?kept&room=ready&n=1#/join/B${CODE.slice(1)}`);
    await expect(page.getByText('Joining another one leaves it.')).toBeVisible();
  });

  test('each device says what it holds, gives and is', async ({ page }) => {
    await open(page, '/?kept&room=busy#/room');
    await expect(device(page, 'MacBook Air')).toContainText('Layers 1–15 with the embedding.');
    await expect(device(page, 'ThinkPad')).toContainText('Layers 21–30 with the head.');
    await expect(device(page, 'ThinkPad')).toContainText('58 MB of 2.9 GB taken');
    await expect(device(page, 'Mira’s iPhone')).toContainText('Away');
    await expect(device(page, 'Old laptop')).toContainText('Chats only: no GPU for models.');
    await expect(page.getByText('could not be read from the server for a moment')).toBeVisible();
    await expect(page.locator('.dev h3')).toHaveText([
      'MacBook Air',
      'Kitchen iPad',
      'ThinkPad',
      'Old laptop',
      'Mira’s iPhone',
    ]);
  });

  test('a device is removed only after asking', async ({ page }) => {
    await open(page, '/?kept&room=three#/room');
    await page.getByRole('button', { name: 'Remove Kitchen iPad' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
    await page.getByRole('button', { name: 'Remove Kitchen iPad' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await expect(device(page, 'Kitchen iPad')).toHaveCount(0);
  });

  test('a model is chosen for the room, loads over its devices, and is ready', async ({ page }) => {
    await open(page, '/?kept&room=three&download=1500000000#/models');
    await expect(page.getByText('The room gives 8.5 GB on 3 devices.')).toBeVisible();
    await page.getByRole('button', { name: 'Use in the room: Qwen3 8B' }).click();
    await expect(page).toHaveURL(/#\/room$/);
    await expect(page.getByText('Qwen3 8B is being loaded on 3 devices.')).toBeVisible();
    await expect(page.locator('.stages')).toContainText(/[\d.]+ of [\d.]+ GB are here/);
    await expect(page.getByText('Qwen3 8B runs on 3 devices.')).toBeVisible();
  });

  test('a model of which a device is away is run on those that are here', async ({ page }) => {
    await open(page, '/?kept&room=broken#/room');
    await page.getByRole('button', { name: 'Run it on the devices that are here' }).click();
    await expect(page.getByText('SmolLM2 135M runs on 2 devices.')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Run it on the devices that are here' })).toHaveCount(0);
  });

  test('a model that loads says how much is on the devices, how fast, and how long it takes', async ({ page }) => {
    await open(page, '/?kept&room=loading#/room');
    await expect(page.getByText('On the devices: 108 of 145 MB, 3.2 MB/s, 12 s left.')).toBeVisible();
  });

  test('a model that the room has no room for is refused with the reason', async ({ page }) => {
    await open(page, '/?kept&room=broken#/models');
    await page.getByRole('button', { name: '16,384' }).click();
    await page.getByRole('button', { name: '4,096' }).click();
    // two devices with 7.1 GB are here, the stand-in counts a tenth on top
    await page.getByRole('button', { name: 'Use in the room: Llama 3.2 3B' }).click();
    await expect(page).toHaveURL(/#\/room$/);
    await open(page, '/?kept&room=alone#/models');
    await expect(page.getByText('Too large for the room by 1.6 GB')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Use in the room: Qwen3 8B' })).toHaveCount(0);
  });
});

test.describe('a conversation that the room answers', () => {
  test('says so where one writes, and a device without a GPU chats', async ({ page }) => {
    await open(page, '/?kept&room=ready&rate=2000&problems=no-webgpu#/chat');
    await expect(heading(page, 'SmolLM2 135M is ready in the room.')).toBeVisible();
    await expect(page.getByText('MacBook Air and ThinkPad hold the first and last layers and can read')).toBeVisible();
    await expect(page.getByText('SmolLM2 135M in the room, 3 devices').first()).toBeVisible();
    await ask(page, 'Say: from the room');
    await expect(answer(page)).toContainText('from the room');
    await expect(page.getByRole('button', { name: 'Answer again' })).toBeVisible();
  });

  test('can be begun while the room still loads', async ({ page }) => {
    await open(page, '/?kept&room=loading&rate=2000#/chat');
    await expect(page.getByText(/SmolLM2 135M is loading in the room: \d+ %/)).toBeVisible();
    await ask(page, 'Say: later');
    await expect(answer(page)).toContainText('later');
  });

  test('the answer that this window drives goes on by itself when the page was reloaded in it', async ({ page }) => {
    await open(page, '/?kept&room=ready&rate=12#/chat');
    await ask(page, 'What happens at low tide?');
    await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
    await expect.poll(async () => (await answer(page).innerText()).length).toBeGreaterThan(60);
    // what was written down every two seconds is there again
    await page.waitForTimeout(2500);
    await page.reload();
    await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
    const text = async () => (await answer(page).innerText()).length;
    const begun = await text();
    await expect.poll(text).toBeGreaterThan(begun + 20);
    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
    // stopped by the person: that stays so
    await page.reload();
    await expect(page.getByRole('button', { name: 'Go on' })).toBeVisible();
  });

  test('a device that goes away is one calm line, and history afterwards, also after a reload', async ({ page }) => {
    await open(page, '/?kept&room=ready&rate=600&room-fault=moved&after=20&hold=900#/chat');
    await ask(page, 'Why two tides?');
    await expect(page.getByText('Kitchen iPad does not answer.')).toBeVisible();
    const past = 'Kitchen iPad went away; its layers are on MacBook Air and ThinkPad now.';
    await expect(answer(page).locator('.line').getByText(past)).toBeVisible();
    await expect(answer(page)).toContainText('Spring tides come with');
    await expect(answer(page).getByText(past)).toBeVisible();
    await expect(answer(page).locator('.line')).toHaveCount(0);
    await expect(page.getByRole('button', { name: 'Answer again' })).toBeVisible();
    await page.reload();
    await expect(answer(page).getByText(past)).toBeVisible();
  });

  test('a pause says what is missing and what to do, and ends by itself', async ({ page }) => {
    await open(page, '/?kept&room=ready&rate=600&room-fault=paused&after=20&hold=1500#/chat');
    await ask(page, 'Why two tides?');
    const line = answer(page).locator('.line');
    await expect(line).toContainText('Paused: 1.2 GB of room are missing.');
    await expect(line.getByRole('link', { name: 'Invite a device' })).toHaveAttribute('href', '#/room');
    await expect(line.getByRole('link', { name: 'Use a smaller model' })).toHaveAttribute('href', '#/models');
    await expect(answer(page)).toContainText('Spring tides come with');
    await expect(answer(page)).toContainText('It was paused here until 1.2 GB of room were found.');
  });

  test('a moment of silence leaves one small line', async ({ page }) => {
    await open(page, '/?kept&room=ready&rate=600&room-fault=silent&after=20#/chat');
    await ask(page, 'Why two tides?');
    await expect(answer(page)).toContainText('Kitchen iPad was silent for a while; then the answer went on.');
  });
});

test.describe('reach', () => {
  for (const [size, viewport] of [
    ['phone', PHONE],
    ['desktop', DESKTOP],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      test(`${size}, ${colorScheme}: nothing that axe finds, nothing wider than the screen`, async ({ browser }) => {
        const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
        const page = await context.newPage();
        for (const [address, server, shows] of [
          ['/?kept#/room', LAN, '.two-ways'],
          [`/?kept&platform=ipad&n=1#/join/${CODE}`, LAN, '.numbered'],
          ['/?kept&room=asking#/room', LAN, '.leadline'],
          ['/?kept&room=alone#/room', LOCAL_ONLY, '.localonly'],
          ['/?kept&room=loading#/room', LAN, '.qr path'],
          ['/?kept&room=busy#/room', LAN, '.ask'],
          ['/?kept&room=broken#/room', LAN, '.stages'],
          ['/?kept&partly&room=three#/models', LAN, '.m-both'],
          ['/?kept&room=ready#/chat', LAN, '.empty'],
        ] as const) {
          await open(page, address, server);
          await expect(page.locator(shows).first()).toBeVisible();
          await expectClean(page, address);
        }
        await open(page, '/?kept&room=ready&rate=600&room-fault=paused&after=20&hold=4000#/chat');
        await ask(page, 'Why two tides?');
        await expect(answer(page).locator('.line')).toBeVisible();
        await expectClean(page, 'paused');
        await context.close();
      });
    }
  }

  test('from no room to a model over its devices with the keyboard alone', async ({ page }) => {
    await open(page, '/?kept&download=4000000000#/room');
    await tabTo(page, 'Link of the invite');
    await page.keyboard.type(`https://studio.local:8443/#/join/${CODE}`);
    await page.keyboard.press('Enter');
    await expect(device(page, 'Kitchen iPad')).toBeVisible();
    await tabTo(page, 'Choose a model');
    await page.keyboard.press('Enter');
    await tabTo(page, 'Use in the room: SmolLM2 360M');
    await page.keyboard.press('Enter');
    await expect(page.getByText('SmolLM2 360M runs on 3 devices.')).toBeVisible();
  });
});

async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const element = document.activeElement as HTMLInputElement | null;
      return (
        element?.getAttribute('aria-label') ??
        element?.labels?.[0]?.innerText ??
        element?.innerText ??
        ''
      ).trim();
    });
    if (focused === name) return;
  }
  throw new Error(`${name} is not reached by Tab.`);
}

async function expectClean(page: Page, where: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
  expect(found, where).toEqual([]);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(width, `${where}: wider than the screen by`).toBe(0);
}
