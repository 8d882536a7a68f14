// Running sums of 64-bit numbers over the $threads threads of a workgroup (a multiple of 16).
#import parts/wide
var<workgroup> single_counts: array<vec2u, $threads>;
var<workgroup> group_counts: array<vec2u, $threads / 16>;

struct Scan {
  before: vec2u, // sum of the threads before this one
  total: vec2u,
}

fn workgroup_scan(own: vec2u, thread: u32) -> Scan {
  single_counts[thread] = own;
  workgroupBarrier();
  if thread < $threads / 16 {
    var sum = vec2u();
    for (var i = thread * 16u; i < thread * 16u + 16u; i++) {
      sum = wide_add(sum, single_counts[i]);
    }
    group_counts[thread] = sum;
  }
  workgroupBarrier();
  var scan = Scan(vec2u(), vec2u());
  for (var i = 0u; i < $threads / 16; i++) {
    if i == thread / 16u {
      scan.before = scan.total;
    }
    scan.total = wide_add(scan.total, group_counts[i]);
  }
  for (var i = thread / 16u * 16u; i < thread; i++) {
    scan.before = wide_add(scan.before, single_counts[i]);
  }
  workgroupBarrier();
  return scan;
}
