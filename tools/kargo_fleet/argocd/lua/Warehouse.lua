-- Degraded when the registry or a repository cannot be read, or holds nothing that fits.
-- At every interval Kargo sets Healthy to Unknown while it looks for artifacts. That must not show, or thousands of
-- Applications would change their health every few minutes: what was found for this very spec stays valid meanwhile.
local healthy, reconciling
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Healthy" then healthy = condition end
    if condition.type == "Reconciling" then reconciling = condition end
  end
end
if healthy == nil or (healthy.observedGeneration or obj.metadata.generation) ~= obj.metadata.generation then
  return { status = "Progressing", message = "Waiting for Kargo to look for artifacts" }
end
if healthy.status == "False" then
  return { status = "Degraded", message = healthy.message }
end
if healthy.status == "True" or obj.status.observedGeneration == obj.metadata.generation then
  return { status = "Healthy" }
end
if reconciling ~= nil and reconciling.message ~= nil then
  return { status = "Progressing", message = reconciling.message }
end
return { status = "Progressing", message = healthy.message }
