-- The Application of a unit is about configuration: a Stage is well when Kargo accepts and handles it. What a promotion, a
-- verification or the workload itself is doing only shows in the message, or one failed promotion would turn the
-- service's configuration red (and a Stage that waits for its first Freight is no fault at all).
local ready
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then ready = condition end
  end
end
if ready == nil then
  return { status = "Progressing", message = "Waiting for Kargo to handle the Stage" }
end
if ready.status == "False" and (ready.reason == "ReconcileError" or ready.reason == "FreightRetrievalFailed"
    or ready.reason == "FreightVerificationFailed") then
  return { status = "Degraded", message = ready.message }
end
return { status = "Healthy", message = ready.message }
