// Sum over the $threads threads of a workgroup (a multiple of 16), in a fixed order. Every thread calls it and gets it.
var<workgroup> single_sums: array<f32, $threads>;
var<workgroup> group_sums: array<f32, $threads / 16>;

fn workgroup_sum(value: f32, thread: u32) -> f32 {
  single_sums[thread] = value;
  workgroupBarrier();
  if thread < $threads / 16 {
    var sum = 0.0;
    for (var i = thread * 16u; i < thread * 16u + 16u; i++) {
      sum += single_sums[i];
    }
    group_sums[thread] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < $threads / 16; i++) {
    sum += group_sums[i];
  }
  workgroupBarrier();
  return sum;
}
