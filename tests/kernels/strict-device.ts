/**
 * A GPUAdapter that behaves like the narrowest devices that Shoal supports: it lists only their limits and features,
 * gives a device the default limits unless larger ones are requested, and throws where they fail silently.
 */

export type StrictProfile = 'safari' | 'android';

type LimitName =
  | 'maxComputeWorkgroupStorageSize'
  | 'maxComputeInvocationsPerWorkgroup'
  | 'maxComputeWorkgroupSizeX'
  | 'maxStorageBuffersPerShaderStage'
  | 'maxStorageBufferBindingSize'
  | 'maxBufferSize'
  | 'maxComputeWorkgroupsPerDimension';

const MIB = 1024 * 1024;

/** What a device has unless more is requested: the defaults of the specification. */
const DEFAULTS: Readonly<Record<LimitName, number>> = {
  maxComputeWorkgroupStorageSize: 16 * 1024,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxStorageBuffersPerShaderStage: 8,
  maxStorageBufferBindingSize: 128 * MIB,
  maxBufferSize: 256 * MIB,
  maxComputeWorkgroupsPerDimension: 65_535,
};

const LISTED: Readonly<Record<StrictProfile, Readonly<Record<LimitName, number>>>> = {
  safari: {
    ...DEFAULTS,
    maxComputeWorkgroupStorageSize: 32 * 1024,
    maxComputeInvocationsPerWorkgroup: 1024,
    maxComputeWorkgroupSizeX: 1024,
  },
  android: DEFAULTS,
};

const FEATURES: Readonly<Record<StrictProfile, ReadonlySet<string>>> = {
  safari: new Set(['shader-f16']),
  android: new Set(),
};

export function strictAdapter(adapter: GPUAdapter, profile: StrictProfile): GPUAdapter {
  const limits = overlay(adapter.limits, LISTED[profile]);
  const features = new Set([...adapter.features].filter((feature) => FEATURES[profile].has(feature)));
  return override(adapter, {
    limits,
    features,
    requestDevice: async (descriptor: GPUDeviceDescriptor = {}) => {
      const granted = { ...DEFAULTS };
      for (const [name, value] of Object.entries(descriptor.requiredLimits ?? {})) {
        const listed = LISTED[profile][name as LimitName];
        if (value === undefined || listed === undefined) continue;
        if (value > listed) throw new Error(`${name} ${value} was requested; this device has ${listed}`);
        granted[name as LimitName] = Math.max(value, DEFAULTS[name as LimitName]);
      }
      for (const feature of descriptor.requiredFeatures ?? []) {
        if (!features.has(feature)) throw new Error(`the feature ${feature} was requested; this device lacks it`);
      }
      return strictDevice(await adapter.requestDevice(descriptor), granted);
    },
  });
}

function strictDevice(device: GPUDevice, granted: Readonly<Record<LimitName, number>>): GPUDevice {
  return override(device, {
    limits: overlay(device.limits, granted),
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      within('the size of a buffer', descriptor.size, granted.maxBufferSize);
      return device.createBuffer(descriptor);
    },
    createShaderModule: (descriptor: GPUShaderModuleDescriptor) => {
      checkModule(String(descriptor.code), granted, device.features.has('shader-f16'));
      return device.createShaderModule(descriptor);
    },
    createBindGroupLayout: (descriptor: GPUBindGroupLayoutDescriptor) => {
      const storage = [...descriptor.entries].filter((entry) => entry.buffer && entry.buffer.type !== 'uniform');
      within('the number of storage buffers', storage.length, granted.maxStorageBuffersPerShaderStage);
      return device.createBindGroupLayout(descriptor);
    },
    createBindGroup: (descriptor: GPUBindGroupDescriptor) => {
      for (const { binding, resource } of descriptor.entries) {
        const { buffer, size } = resource as GPUBufferBinding;
        within(`the size of binding ${binding}`, size ?? buffer.size, granted.maxStorageBufferBindingSize);
      }
      return device.createBindGroup(descriptor);
    },
    createCommandEncoder: (descriptor?: GPUCommandEncoderDescriptor) => {
      const encoder = device.createCommandEncoder(descriptor);
      return override(encoder, {
        beginComputePass: (passDescriptor?: GPUComputePassDescriptor) => {
          const pass = encoder.beginComputePass(passDescriptor);
          return override(pass, {
            dispatchWorkgroups: (x: number, y = 1, z = 1) => {
              // Safari drops such a dispatch without a word
              for (const count of [x, y, z]) within('a grid', count, granted.maxComputeWorkgroupsPerDimension);
              pass.dispatchWorkgroups(x, y, z);
            },
          });
        },
      });
    },
  });
}

/** Safari lets a module over these limits write zeros without an error. */
function checkModule(code: string, granted: Readonly<Record<LimitName, number>>, f16: boolean): void {
  if (/enable\s+[^;]*subgroups/.test(code) || /\bsubgroup[A-Z]\w*\s*\(/.test(code)) {
    throw new Error('a shader uses subgroups, which this device lacks');
  }
  if (!f16 && /enable\s+[^;]*\bf16\b/.test(code)) throw new Error('a shader uses f16, which this device lacks');
  const size = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1]?.split(',').map(Number);
  if (size?.some(Number.isNaN)) throw new Error(`a workgroup size is no plain number: ${size}`);
  const [x = 1] = size ?? [];
  within(
    'the invocations of a workgroup',
    (size ?? []).reduce((a, b) => a * b, 1),
    granted.maxComputeInvocationsPerWorkgroup,
  );
  within('the width of a workgroup', x, granted.maxComputeWorkgroupSizeX);
}

function within(what: string, value: number, most: number): void {
  if (value > most) throw new Error(`${what} is ${value}; this device allows ${most}`);
}

function overlay<T extends object>(target: T, values: Readonly<Record<string, unknown>>): T {
  return override(target, values);
}

/** The object itself, with some of its members replaced; methods stay bound to the object that owns them. */
function override<T extends object>(target: T, members: Readonly<Record<string, unknown>>): T {
  return new Proxy(target, {
    get(object, key) {
      if (typeof key === 'string' && Object.hasOwn(members, key)) return members[key];
      const value: unknown = Reflect.get(object, key, object);
      return typeof value === 'function' ? value.bind(object) : value;
    },
    set: (object, key, value) => Reflect.set(object, key, value, object),
  });
}
