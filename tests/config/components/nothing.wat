;; Neither runs nor serves.
(component)
