// Where the keys and values of a position lie. The 64 positions of a page and KV head are a block:
//   keys    [unit][position], a unit being 16 bytes of one position's dimensions (8 in f16, 4 in f32, 16 in 8 bits), so
//           that threads of neighbouring positions load neighbouring units;
//   values  [position][dimension];
//   in 8 bits, behind either of them the units: [position] u32, as parts/byte_units says.
// A head is kept in whole units of 16 bytes, of f16 even where it is f32. Blocks: [page][kvHead].
// The importing kernel binds `pages`: the page of [slot][pagesPerSlot].
#import parts/page_sizes
#if q8
#import parts/byte_units
#endif

const KEPT_DIMS: u32 = $keptDims; // of a head
#if q8
const UNIT_DIMS = 16u; // of a head, in 16 bytes
const SCALE_UNITS: u32 = PAGE_POSITIONS / 4u; // 16 bytes of what a block's bytes mean
#else
#if f16
const UNIT_DIMS = 8u;
#else
const UNIT_DIMS = 4u;
#endif
const SCALE_UNITS = 0u;
#endif
const HEAD_UNITS: u32 = KEPT_DIMS / UNIT_DIMS;
const BLOCK_UNITS: u32 = HEAD_UNITS * PAGE_POSITIONS + SCALE_UNITS;

fn block_of(slot: u32, position: u32, kv_head: u32) -> u32 {
  return pages[slot * PAGES_PER_SLOT + position / PAGE_POSITIONS] * KV_HEADS + kv_head;
}
