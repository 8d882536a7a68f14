// Sum over the $threads threads of a workgroup, in a fixed order. Every thread calls it and gets the sum.
var<workgroup> partial_sums: array<f32, $threads>;

fn workgroup_sum(value: f32, thread: u32) -> f32 {
  partial_sums[thread] = value;
  workgroupBarrier();
  for (var reach: u32 = $threads / 2u; reach > 0u; reach /= 2u) {
    if thread < reach {
      partial_sums[thread] += partial_sums[thread + reach];
    }
    workgroupBarrier();
  }
  let sum = partial_sums[0];
  workgroupBarrier();
  return sum;
}
