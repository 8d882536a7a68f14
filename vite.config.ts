import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';

const root = path.dirname(fileURLToPath(import.meta.url));

export default defineConfig({
  root: path.join(root, 'web'),
  publicDir: path.join(root, 'public'),
  cacheDir: path.join(root, 'node_modules/.vite'),
  worker: { format: 'es' },
  build: {
    outDir: path.join(root, 'dist/app'),
    emptyOutDir: true,
    target: ['chrome134', 'edge134', 'safari26', 'firefox140'],
    // an inline image would be a data: address inside a script; files are cached as well
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { fs: { allow: [root] } },
  plugins: [
    {
      // the service worker's plugin also runs after a failed build, and its own error would hide the first
      name: 'shoal-first-error',
      buildEnd(error) {
        if (error) console.error(error.message);
      },
    },
    VitePWA({
      registerType: 'prompt',
      // web/ registers it, so that the page can offer the update
      injectRegister: false,
      // public/manifest.webmanifest
      manifest: false,
      includeManifestIcons: false,
      workbox: {
        globPatterns: ['**/*.{js,css,html,svg,png,ico,webmanifest,woff2,wasm}'],
        navigateFallback: 'index.html',
        // models are kept in IndexedDB, and the Cache API refuses ranges
        navigateFallbackDenylist: [/^\/models\//, /^\/starter$/],
        cleanupOutdatedCaches: true,
        clientsClaim: false,
        skipWaiting: false,
      },
    }),
  ],
});
